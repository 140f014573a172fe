"""What is asked of images, and what the true answer is by what was measured."""
