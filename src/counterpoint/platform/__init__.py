"""What it runs on: devices, links and units; what this machine is."""
