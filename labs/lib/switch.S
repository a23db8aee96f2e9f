/* The world switch of the later labs is the one that lab h1 asks for. */
#include "../h1/solution/switch.S"
