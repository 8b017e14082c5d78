"""What a touch will sound like, from motion and scene alone."""
