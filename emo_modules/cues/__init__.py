"""Where the face is: finding it, boxes, crops, landmarks, and the masks that each family reads."""
