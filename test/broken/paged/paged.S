/* The whole program as one source, so that a variant is compiled at once. */
#include "boot.S"
#include "switch.S"
#include "main.S"
#include "guest.S"
