"""The demo's world: a made-up workbench, a simulated hand that touches it, and what a microphone would have heard."""
