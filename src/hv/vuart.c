/* A 16550 as the guest sees it: output goes to the VM's console; there is no input and no interrupt. */
#include "vm.h"

#define DATA 0
#define IER 1
#define IIR 2
#define LCR 3
#define LSR 5
#define MSR 6
#define SCR 7
#define LCR_DLAB 0x80

u64 vuart_read(struct vm *vm, u64 offset) {
  switch (offset) {
    case IER: return vm->uart_ier;
    case IIR: return 0x01;
    case LCR: return vm->uart_lcr;
    case LSR: return 0x60; /* transmitter empty, nothing received */
    case MSR: return 0xb0;
    case SCR: return vm->uart_scr;
    default: return 0;
  }
}

void vuart_write(struct vm *vm, u64 offset, u64 value) {
  if (offset == DATA && !(vm->uart_lcr & LCR_DLAB)) vm_console_putchar(vm, value);
  else if (offset == IER && !(vm->uart_lcr & LCR_DLAB)) vm->uart_ier = value & 0xf;
  else if (offset == LCR) vm->uart_lcr = value;
  else if (offset == SCR) vm->uart_scr = value;
}
