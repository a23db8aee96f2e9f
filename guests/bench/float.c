/* e: floating point: bodies under gravity, a matrix product, the Mandelbrot set, single-precision filtering. */
#include "bench.h"

#ifndef ROUNDS
#define ROUNDS 10
#endif
#define BODIES 5
#define N 48

struct body {
  double x[3], v[3], mass;
};

static double root(double x) {
  double r;
  __asm__("fsqrt.d %0, %1" : "=f"(r) : "f"(x));
  return r;
}

static void advance(struct body *b, double dt) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++) {
      double d[3], square = 0;
      for (int k = 0; k < 3; k++) {
        d[k] = b[i].x[k] - b[j].x[k];
        square += d[k] * d[k];
      }
      double force = dt / (square * root(square));
      for (int k = 0; k < 3; k++) {
        b[i].v[k] -= d[k] * b[j].mass * force;
        b[j].v[k] += d[k] * b[i].mass * force;
      }
    }
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) b[i].x[k] += dt * b[i].v[k];
}

static double a[N][N], b[N][N], c[N][N];
static void multiply(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double sum = 0;
      for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
      c[i][j] = sum;
    }
}

static int mandelbrot(int size, int limit) {
  int total = 0;
  for (int row = 0; row < size; row++)
    for (int column = 0; column < size; column++) {
      double cr = 2.0 * column / size - 1.5, ci = 2.0 * row / size - 1.0, zr = 0, zi = 0;
      int n = 0;
      while (n < limit && zr * zr + zi * zi < 4.0) {
        double t = zr * zr - zi * zi + cr;
        zi = 2 * zr * zi + ci;
        zr = t;
        n++;
      }
      total += n;
    }
  return total;
}

static float samples[1024];
static float filter(void) {
  float out = 0;
  for (int i = 4; i < 1024; i++) out = out * 0.75f + samples[i] * 0.5f - samples[i - 4] * 0.25f;
  return out;
}

static u64 bits(double x) {
  union {
    double d;
    u64 u;
  } v = {x};
  return v.u;
}

u64 bench_main(void) {
  struct body bodies[BODIES];
  for (int i = 0; i < BODIES; i++)
    for (int k = 0; k < 3; k++) {
      bodies[i].x[k] = i * 1.7 + k * 0.3;
      bodies[i].v[k] = 0.01 * (i - k);
      bodies[i].mass = 1.0 + i;
    }
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) a[i][j] = i * 0.1 + j, b[i][j] = i - j * 0.3;
  for (int i = 0; i < 1024; i++) samples[i] = (i % 17) * 0.37f;
  u64 sum = 0;
  for (int round = 0; round < ROUNDS; round++) {
    for (int i = 0; i < 20000; i++) advance(bodies, 0.0001);
    for (int i = 0; i < 10; i++) multiply();
    float filtered = 0;
    for (int i = 0; i < 500; i++) filtered += filter();
    sum = sum * 31 + bits(bodies[0].x[0]) + bits(c[3][5]) + bits(filtered) + mandelbrot(160, 200);
  }
  return sum;
}
