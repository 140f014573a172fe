"""Questions in the words of versioned templates."""
