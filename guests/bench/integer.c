/* a: integer work in the manner of CoreMark: linked list, matrix, CRC, a state machine. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 250000
#endif
#define NODES 200
#define N 20

struct node {
  struct node *next;
  int value;
};
static struct node nodes[NODES];
static short a[N * N], b[N * N];
static int c[N * N];

static unsigned crc16(unsigned crc, unsigned value) {
  for (int i = 0; i < 16; i++, value >>= 1) crc = (crc >> 1) ^ (((crc ^ value) & 1) ? 0xa001u : 0);
  return crc;
}

static struct node *reverse(struct node *list) {
  struct node *out = 0;
  while (list) {
    struct node *next = list->next;
    list->next = out;
    out = list;
    list = next;
  }
  return out;
}

static int states(const char *text) {
  int state = 0, count = 0;
  for (; *text; text++) {
    switch (state) {
      case 0: state = *text == '-' || *text == '+' ? 1 : *text >= '0' && *text <= '9' ? 2 : 0; break;
      case 1: state = *text >= '0' && *text <= '9' ? 2 : 0; break;
      case 2: state = *text == '.' ? 3 : *text >= '0' && *text <= '9' ? 2 : 0; break;
      default: state = *text >= '0' && *text <= '9' ? 3 : 0; count += state == 0;
    }
  }
  return count;
}

u64 bench_main(void) {
  unsigned crc = 0xffff;
  struct node *list = 0;
  for (int i = 0; i < NODES; i++) {
    nodes[i].value = i * 37 % 101;
    nodes[i].next = list;
    list = &nodes[i];
  }
  for (int i = 0; i < N * N; i++) a[i] = i * 3, b[i] = i ^ 0x55;
  for (int round = 0; round < ROUNDS; round++) {
    list = reverse(list);
    int sum = 0;
    for (struct node *n = list; n; n = n->next) sum += n->value ^ round;
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) {
        int s = 0;
        for (int k = 0; k < N; k++) s += a[i * N + k] * b[k * N + j];
        c[i * N + j] = s;
      }
    a[round % (N * N)] += sum;
    crc = crc16(crc, c[round % (N * N)] + sum + states("12.5 -7 +3.25 x9 1..2 88.01 "));
  }
  return crc;
}
