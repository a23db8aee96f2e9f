/* The kernel command line: words `key=value[,key=value...]`. */
#include "vm.h"

static int starts_with(const char *text, const char *key) {
  while (*key)
    if (*text++ != *key++) return 0;
  return 1;
}

/* The text after the nth `key` at the start of a word or after a comma of the same word; 0 when there is none. */
const char *cmdline_find(const char *line, const char *key, unsigned nth) {
  int at_start = 1;
  for (; *line; at_start = *line == ' ', line++)
    if (at_start && starts_with(line, key) && nth-- == 0) {
      while (*key++) line++;
      return line;
    }
  return 0;
}

/* A decimal or 0x number with an optional K, M or G. */
u64 parse_number(const char **text) {
  const char *p = *text;
  u64 v = 0, base = 10;
  if (p[0] == '0' && p[1] == 'x') base = 16, p += 2;
  for (;; p++) {
    u64 digit = *p >= '0' && *p <= '9' ? *p - '0' : (*p | 32) >= 'a' && (*p | 32) <= 'f' ? (*p | 32) - 'a' + 10 : 99;
    if (digit >= base) break;
    v = v * base + digit;
  }
  if (*p == 'K') v <<= 10, p++;
  else if (*p == 'M') v <<= 20, p++;
  else if (*p == 'G') v <<= 30, p++;
  *text = p;
  return v;
}

/* The text up to a comma, a blank or the end. */
void parse_word(const char **text, char *out, unsigned size) {
  const char *p = *text;
  unsigned n = 0;
  while (*p && *p != ',' && *p != ' ') {
    if (n + 1 < size) out[n++] = *p;
    p++;
  }
  out[n] = 0;
  *text = p;
}
