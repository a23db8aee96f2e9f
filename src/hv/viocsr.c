/* The IOCSR space of a vCPU: inter-processor interrupts and mailboxes, as on the board, and the
 * EIOINTC (viointc.c); the rest reads 0. */
#include "vm.h"

#define BOX_BYTES 0x20

u64 viocsr_read(struct vcpu *v, u64 address, unsigned size) {
  u64 value = 0;
  if (address >= IOCSR_MAILBOX && address < IOCSR_MAILBOX + BOX_BYTES)
    value = v->mailbox[(address - IOCSR_MAILBOX) >> 3] >> (8 * (address & 7));
  else if (address == IOCSR_IPI_STATUS) value = v->ipi_status;
  else if (address == IOCSR_IPI_ENABLE) value = v->ipi_enable;
  else value = viointc_read(v, address, size);
  return size == 8 ? value : (u64)(long)(int)value;
}

/* A masked 32-bit write into the mailboxes of a vCPU: bits 31:27 of the command keep bytes, 4:2 select the half. */
static void mail(struct vcpu *from, u64 command) {
  unsigned to = (command >> IPI_SEND_CPU_SHIFT) & 0x3ff, half = (command >> MAIL_SEND_BOX_SHIFT) & 7;
  if (to >= from->vm->vcpu_count) return;
  struct vcpu *v = &from->vm->vcpus[to];
  unsigned shift = half & 1 ? 32 : 0;
  u64 keep = 0;
  for (unsigned k = 0; k < 4; k++)
    if (command >> (27 + k) & 1) keep |= 0xfful << (8 * k);
  u64 *box = &v->mailbox[half >> 1], old = *box >> shift & 0xffffffff;
  u64 word = (old & keep) | (command >> 32 & ~keep & 0xffffffff);
  *box = (*box & ~(0xfffffffful << shift)) | word << shift;
  /* A vCPU that has not run yet waits for an address here, as a CPU does in firmware. */
  if (!v->started && half == 0 && word) vcpu_start(v, v->mailbox[0]);
}

static void send(struct vcpu *from, u64 command) {
  unsigned to = (command >> IPI_SEND_CPU_SHIFT) & 0x3ff;
  if (to >= from->vm->vcpu_count) return;
  struct vcpu *v = &from->vm->vcpus[to];
  v->ipi_status |= 1u << (command & 31);
  smp_kick(v);
}

void viocsr_write(struct vcpu *v, u64 address, unsigned size, u64 value) {
  switch (address) {
    case IOCSR_IPI_ENABLE: v->ipi_enable = value; return;
    case IOCSR_IPI_SET: v->ipi_status |= value; return;
    case IOCSR_IPI_CLEAR: v->ipi_status &= ~value; return;
    case IOCSR_IPI_SEND: send(v, value); return;
    case IOCSR_MAIL_SEND: mail(v, value); return;
  }
  if (address >= IOCSR_MAILBOX && address < IOCSR_MAILBOX + BOX_BYTES) v->mailbox[(address - IOCSR_MAILBOX) >> 3] = value;
  else viointc_write(v, address, size, value);
}
