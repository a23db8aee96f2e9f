# hypercall.c: the number of a hypercall is an index that nobody checks
s/^  u64 function = v->gpr\[4\], argument = v->gpr\[5\];/  static void (*volatile services[1])(struct vcpu *);\n&\n  if (function > HYPERCALL_RELEASE) return services[function](v);/
