"""Comfort for debugging hypervisors with loongscope; optional: everything works without it.

    (gdb) source src/gdbstub/python/lvz.py

Adds the commands `lvz ...` (see `help lvz`), shows the world before each frame, says when a stop is in another world
than the last one, and forgets cached registers at each stop: gdb keeps those of threads that it believes stood still.
Needs gdb 16 or newer.
"""

import gdb
from gdb.FrameDecorator import FrameDecorator

GUEST_PID_BASE = 16
# ELF files of guests by VM, for `lvz attach`; `loongscope debug` fills it in.
guest_files = {}


def monitor(command):
    """What the server answers to a monitor command."""
    return gdb.execute("monitor " + command, to_string=True)


def system(name):
    """A register of group `system` of the selected thread; None without one."""
    try:
        return int(gdb.parse_and_eval("$" + name))
    except (gdb.error, gdb.MemoryError):
        return None


def world_text(world):
    return "host" if world == 0 else "VM %d" % world


def os_table(name):
    """Rows of `info os NAME` as dictionaries; for tables whose cells have no blanks."""
    lines = [line for line in gdb.execute("info os " + name, to_string=True).split("\n") if line.strip()]
    if not lines:
        return []
    columns = lines[0].split()
    return [dict(zip(columns, line.split())) for line in lines[1:]]


class Lvz(gdb.Command):
    """Worlds, VMs and VM exits of the machine. `help lvz` lists the commands."""

    def __init__(self):
        super().__init__("lvz", gdb.COMMAND_RUNNING, prefix=True)


class Subcommand(gdb.Command):
    """A command whose errors are told as gdb's own commands tell theirs, without the name of a Python exception."""

    def invoke(self, arg, from_tty):
        try:
            self.run(arg)
        except gdb.error as error:
            raise gdb.GdbError(str(error))


class Passed(Subcommand):
    """A monitor command under its own name."""

    def __init__(self, name, command, text):
        self.command = command
        self.__doc__ = text
        super().__init__("lvz " + name, gdb.COMMAND_STATUS)

    def run(self, arg):
        gdb.write(monitor((self.command + " " + arg).strip()))


class Attach(Subcommand):
    """Shows a VM as an inferior of its own: lvz attach VM [ELF].

    The VM must have run. Without ELF the file that loongscope debug knows is taken."""

    def __init__(self):
        super().__init__("lvz attach", gdb.COMMAND_RUNNING)

    def run(self, arg):
        words = gdb.string_to_argv(arg)
        if not words or not words[0].isdigit():
            raise gdb.GdbError("usage: lvz attach VM [ELF]")
        vm = int(words[0])
        elf = words[1] if len(words) > 1 else guest_files.get(vm)
        before = gdb.selected_inferior().num
        # gdb shows no stop of the process that it found first until it has been resumed there. A step of length 0 is enough.
        if gdb.selected_inferior().pid == 1:
            gdb.execute("stepi 0", to_string=True)
            monitor("first-process heard")
        gdb.execute("add-inferior" + (" -exec " + elf if elf else ""), to_string=True)
        new = max(i.num for i in gdb.inferiors())
        gdb.execute("inferior %d" % new, to_string=True)
        try:
            gdb.execute("attach %d" % (GUEST_PID_BASE + vm))
        except gdb.error:
            gdb.execute("inferior %d" % before, to_string=True)
            gdb.execute("remove-inferiors %d" % new, to_string=True)
            raise


class Catch(Subcommand):
    """Stops at an event: lvz catch exit|exception|irq|csr|gcsr NAME [if CONDITION], lvz catch entry [if CONDITION].

    A catchpoint of gdb's own (catch syscall N), so that conditions, ignore counts and commands work on it. Names are
    those of `info os catchpoints`. A condition may use $gid, $world, $icount, $exit_reason and every register."""

    def __init__(self):
        super().__init__("lvz catch", gdb.COMMAND_BREAKPOINTS)

    def run(self, arg):
        text, _, condition = arg.partition(" if ")
        words = text.split()
        if not words:
            raise gdb.GdbError("usage: lvz catch exit|exception|irq|csr|gcsr NAME, or lvz catch entry")
        name = words[1] if len(words) > 1 else "-"
        for row in os_table("catchpoints"):
            if row["Event"] == words[0] and row["Name"].lower() == name.lower():
                gdb.execute("catch syscall " + row["Number"])
                if condition:
                    number = gdb.parse_and_eval("$bpnum")
                    gdb.execute("condition %d %s" % (int(number), condition))
                return
        raise gdb.GdbError("no event '%s': see 'info os catchpoints'" % " ".join(words))


class Break(Subcommand):
    """A breakpoint in one world: lvz break host|VM LOCATION.

    The condition is evaluated in the server: a hit in another world costs microseconds."""

    def __init__(self):
        super().__init__("lvz break", gdb.COMMAND_BREAKPOINTS, gdb.COMPLETE_LOCATION)

    def run(self, arg):
        world, _, location = arg.strip().partition(" ")
        if not location or not (world == "host" or world.isdigit()):
            raise gdb.GdbError("usage: lvz break host|VM LOCATION")
        own = [i for i in gdb.inferiors() if world.isdigit() and i.pid == GUEST_PID_BASE + int(world)]
        if own:
            # Guest addresses belong to its own inferior once it is attached.
            gdb.execute("break %s inferior %d" % (location, own[0].num))
        else:
            gdb.execute("break %s if $world == %s" % (location, "0" if world == "host" else world))


class CsrDiff(Subcommand):
    """CSRs of which the host's copy and the guest bank's differ: lvz csr diff."""

    def __init__(self):
        super().__init__("lvz csr", gdb.COMMAND_DATA)

    def run(self, arg):
        if arg.strip() != "diff":
            raise gdb.GdbError("usage: lvz csr diff")
        for row in os_table("csrs"):
            if row["Guest"] not in ("-", row["Host"]):
                gdb.write("%-10s host %-20s guest %s\n" % (row["Name"], row["Host"], row["Guest"]))


class StepWorld(Subcommand):
    """Steps one instruction of the world that runs, over whatever the other one does in between: lvz stepi [N]."""

    def __init__(self):
        super().__init__("lvz stepi", gdb.COMMAND_RUNNING)

    def run(self, arg):
        mode = monitor("step-mode").split()[-1]
        monitor("step-mode world")
        try:
            gdb.execute("stepi " + arg)
        finally:
            monitor("step-mode " + mode)


class World(Subcommand):
    """The world of the selected thread."""

    def __init__(self):
        super().__init__("lvz world", gdb.COMMAND_STATUS)

    def run(self, arg):
        world = system("world")
        gdb.write("no machine\n" if world is None else world_text(world) + "\n")


class WorldDecorator(FrameDecorator):
    """Puts the world before the function of a frame."""

    def __init__(self, frame, prefix):
        super().__init__(frame)
        self.prefix = prefix

    def function(self):
        name = super().function()
        return self.prefix + (name if isinstance(name, str) else "0x%x" % name if name else "??")


class WorldFilter:
    """The frame filter that decorates frames with `[host]` or `[VM 1]`."""

    def __init__(self):
        self.name = "lvz-world"
        self.priority = 50
        self.enabled = True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        world = system("world")
        prefix = "" if world is None else "[%s] " % world_text(world)
        return (WorldDecorator(frame, prefix) for frame in frames)


class StopListener:
    """Forgets cached registers at each stop, and says when the world has changed."""

    def __init__(self):
        self.world = None
        gdb.events.stop.connect(self.stopped)

    def stopped(self, event):
        try:
            gdb.execute("maint flush register-cache", to_string=True)
        except gdb.error:
            return
        world = system("world")
        if world is not None and self.world is not None and world != self.world:
            gdb.write("[lvz] now in %s\n" % ("the host" if world == 0 else world_text(world)))
        self.world = world


# After a reset, and after going through time, the registers are others. gdb does not see that by itself.
gdb.execute("define hookpost-monitor\nmaint flush register-cache\nend\n", to_string=True)
# The machine runs as a whole: gdb must resume all processes, and follow the stops of each.
gdb.execute("set schedule-multiple on", to_string=True)
Lvz()
Passed("worlds", "info worlds", "What each CPU executes.")
Passed("vms", "info vms", "VMs that have run.")
Passed("vcpus", "info vcpus", "vCPUs: where they run, or where they will go on.")
Passed("exits", "info exits", "VM exits by cause, and the last ones.")
Passed("why", "explain", "The last exception or VM exit in words.")
Passed("history", "history", "What has happened: lvz history [N] [events|branches|csr|all].")
Passed("translate", "translate", "Each step of a translation: lvz translate ADDRESS [in host|VM].")
Passed("tlb", "info tlb", "TLB entries: lvz tlb [host|guest|VM] [ADDRESS].")
Passed("stats", "stats", "Exits by cause with latencies and hot places: lvz stats [on|off].")
Passed("context", "context", "What is known of the hypervisor's own saved contexts.")
Attach()
Catch()
Break()
CsrDiff()
StepWorld()
World()
WorldFilter()
StopListener()
