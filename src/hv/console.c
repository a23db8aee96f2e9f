/* The board's UART and power switch, formatted output, and the guests' consoles. */
#include <stdarg.h>

#include "vm.h"

#define UART 0x1fe001e0ul
#define UART_LSR 5
#define LSR_EMPTY 0x20
#define POWER 0x100e001cul
#define POWER_OFF 0x34

static void put(char c) {
  while (!(device(UART)[UART_LSR] & LSR_EMPTY)) {
  }
  *device(UART) = c;
}

static void putchar(char c) {
  if (c == '\n') put('\r');
  put(c);
}

void console_write(const char *text) {
  while (*text) putchar(*text++);
}

static void number(u64 v, unsigned base) {
  char digits[24];
  unsigned n = 0;
  do digits[n++] = "0123456789abcdef"[v % base];
  while (v /= base);
  while (n) putchar(digits[--n]);
}

/* %s string, %u decimal, %x hexadecimal; numbers are 64-bit. */
static void vprintf(const char *f, va_list ap) {
  for (; *f; f++) {
    if (*f != '%') {
      putchar(*f);
      continue;
    }
    switch (*++f) {
      case 's': console_write(va_arg(ap, const char *)); break;
      case 'u': number(va_arg(ap, u64), 10); break;
      case 'x': console_write("0x"); number(va_arg(ap, u64), 16); break;
      default: putchar(*f);
    }
  }
}

void console_printf(const char *format, ...) {
  va_list ap;
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
}

/* The output of a guest is printed line by line, so that the lines of two guests do not mix. */
void vm_console_flush(struct vm *vm) {
  if (vm->column == 0) return;
  vm->line[vm->column] = 0;
  console_printf("[%s] %s\n", vm->name, vm->line);
  vm->column = 0;
}

void vm_console_putchar(struct vm *vm, char c) {
  if (c == '\n') {
    if (vm->column == 0) console_printf("[%s]\n", vm->name);
    vm_console_flush(vm);
  } else if (c != '\r') {
    vm->line[vm->column++] = c;
    if (vm->column == sizeof vm->line - 1) vm_console_flush(vm);
  }
}

void power_off(void) {
  *device(POWER) = POWER_OFF;
  for (;;) __asm__ volatile("idle 0");
}

void panic(const char *format, ...) {
  va_list ap;
  console_write("hv: panic: ");
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
  console_write("\n");
  power_off();
}

/* From host_vector.S. */
void host_exception(u64 estat, u64 era, u64 badv) {
  panic("exception in the hypervisor: ESTAT %x ERA %x BADV %x", estat, era, badv);
}
