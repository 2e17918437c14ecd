"""parkflow: leave the car park by QR code, pay later."""
