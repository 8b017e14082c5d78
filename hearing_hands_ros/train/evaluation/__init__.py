"""How well systems predict the sound of touches in scenes that were held out."""
