package capture

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// FlowFilter is the kernel filter that keeps state: of each connection the
// first bytes of each end reach user space, and what comes after them is only
// counted. One serves many interfaces; each counts for itself, because a
// packet may pass several (a veth pair, a bridge). It is safe for concurrent
// use.
//
// It passes SYN, FIN and RST, TCP payload up to the limit of its end, all of an
// end that starts with an HTTP request until Limit says otherwise, the first
// datagrams of each end of a UDP flow, and of UDP and the rest what Filter
// passes. Bytes inside tunnels and fragments
// are not counted.
type FlowFilter struct {
	options FlowOptions
	flows   *ebpf.Map // FlowKey -> FlowCounts, written by the kernel
	control *ebpf.Map // FlowKey -> limits, written by user space: a map of its own, as writing a value would lose counts

	mu       sync.Mutex
	programs map[FilterOptions]*ebpf.Program
}

// NewFlowFilter makes the maps and proves that the kernel takes the program.
// The error says what is missing.
func NewFlowFilter(o FlowOptions) (*FlowFilter, error) {
	f := &FlowFilter{options: o, programs: map[FilterOptions]*ebpf.Program{}}
	if err := f.load(); err != nil {
		return nil, errors.Join(explainEBPF(err), f.Close())
	}
	return f, nil
}

func (f *FlowFilter) load() error {
	// Kernels before 5.11 count maps as locked memory; later ones need nothing.
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("raising the limit of locked memory: %w", err)
	}
	var err error
	if f.flows, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "gnomon_flows", Type: ebpf.LRUHash, KeySize: 40, ValueSize: 40, MaxEntries: uint32(f.options.Flows),
	}); err != nil {
		return fmt.Errorf("making the map of connections: %w", err)
	}
	if f.control, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "gnomon_limits", Type: ebpf.LRUHash, KeySize: 40, ValueSize: 8, MaxEntries: uint32(f.options.Flows),
	}); err != nil {
		return fmt.Errorf("making the map of limits: %w", err)
	}
	_, err = f.program(FilterOptions{})
	return err
}

// explainEBPF adds what to do.
func explainEBPF(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w (grant CAP_BPF, before Linux 5.8 CAP_SYS_ADMIN, and see that a seccomp profile allows bpf)", err)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL), errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w (Linux 4.14 with CONFIG_BPF_SYSCALL or later is needed)", err)
	}
	return err
}

// program returns the program for one kind of interface, loaded once.
func (f *FlowFilter) program(o FilterOptions) (*ebpf.Program, error) {
	o.SnapLength = f.options.SnapLength
	f.mu.Lock()
	defer f.mu.Unlock()
	if p := f.programs[o]; p != nil {
		return p, nil
	}
	text := &program{options: o, flows: f.flows, control: f.control, up: f.options.Up, down: f.options.Down}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "gnomon_filter", Type: ebpf.SocketFilter, License: "Apache-2.0", Instructions: text.assemble(),
	})
	if err != nil {
		return nil, fmt.Errorf("loading the filter program: %w", err)
	}
	f.programs[o] = p
	return p, nil
}

// attach puts the program on a packet socket.
func (f *FlowFilter) attach(fd int, o FilterOptions) error {
	p, err := f.program(o)
	if err != nil {
		return explainEBPF(err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, p.FD()); err != nil {
		return fmt.Errorf("attaching the filter program: %w", err)
	}
	return nil
}

// Counts returns what the kernel counted of a connection, ErrNoFlow where it
// does not know it.
func (f *FlowFilter) Counts(key FlowKey) (FlowCounts, error) {
	var counts FlowCounts
	if err := f.flows.Lookup(&key, &counts); err != nil {
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return counts, ErrNoFlow
		}
		return counts, fmt.Errorf("reading the counts of a connection: %w", err)
	}
	return counts, nil
}

// Limit says how many payload bytes of each end of a connection pass from now
// on, counted from its start: 0 is none, for good, and PassAll is all.
func (f *FlowFilter) Limit(key FlowKey, limit [2]uint32) error {
	if err := f.control.Put(&key, &limit); err != nil {
		return fmt.Errorf("limiting a connection: %w", err)
	}
	return nil
}

// Close unloads programs and maps; sockets that still use them keep them.
func (f *FlowFilter) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []error
	for _, p := range f.programs {
		all = append(all, p.Close())
	}
	clear(f.programs)
	return errors.Join(append(all, f.flows.Close(), f.control.Close())...) // closing a nil map is allowed
}
