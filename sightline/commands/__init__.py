"""What the commands do; ``sightline.cli`` says what can be typed."""
