# stage2.c: a guest's RAM is mapped page by page, when it is first touched, as Linux KVM does it
/^void stage2_map(/a\
  if (size == vm->memory) return;\
  if (size == PAGE && gpa - GUEST_RAM_BASE < vm->memory) hpa = vm->ram_hpa + (gpa - GUEST_RAM_BASE);
