"""What every Singer tap of this toolkit, and the shell of its loader, is made of."""
