/* A 16550 as the guest sees it: output goes to the VM's console, at once; there is no input. The transmitter is always
 * empty, so its interrupt rises when it is enabled and after each byte, and falls when IIR is read. */
#include "vm.h"

#define DATA 0
#define IER 1
#define IIR 2
#define LCR 3
#define LSR 5
#define MSR 6
#define SCR 7
#define LCR_DLAB 0x80
#define IER_TX 2
#define IIR_TX 0x02
#define IIR_NONE 0x01

static void update_line(struct vm *vm) {
  inject_line(vm, GUEST_UART_LINE, vm->uart_tx_pending && vm->uart_ier & IER_TX);
}

/* Reading IIR acknowledges the transmit interrupt. */
static u64 read_iir(struct vm *vm) {
  u64 iir = vm->uart_tx_pending && vm->uart_ier & IER_TX ? IIR_TX : IIR_NONE;
  vm->uart_tx_pending = 0;
  update_line(vm);
  return iir;
}

u64 vuart_read(struct vm *vm, u64 offset) {
  switch (offset) {
    case IER: return vm->uart_ier;
    case IIR: return read_iir(vm);
    case LCR: return vm->uart_lcr;
    case LSR: return 0x60; /* transmitter empty, nothing received */
    case MSR: return 0xb0;
    case SCR: return vm->uart_scr;
    default: return 0;
  }
}

void vuart_write(struct vm *vm, u64 offset, u64 value) {
  if (offset == DATA && !(vm->uart_lcr & LCR_DLAB)) {
    vm_console_putchar(vm, value);
    vm->uart_tx_pending = 1;
  } else if (offset == IER && !(vm->uart_lcr & LCR_DLAB)) {
    if (value & ~vm->uart_ier & IER_TX) vm->uart_tx_pending = 1;
    vm->uart_ier = value & 0xf;
  } else if (offset == LCR) {
    vm->uart_lcr = value;
  } else if (offset == SCR) {
    vm->uart_scr = value;
  }
  update_line(vm);
}
