"""What goes into a network and what comes out: images, tensors, labels, detections."""
