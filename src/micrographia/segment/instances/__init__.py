"""The single objects of a micrograph: told apart, with their satellites and outlines, and as COCO annotations."""
