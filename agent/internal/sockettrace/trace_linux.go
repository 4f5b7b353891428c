package sockettrace

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// Trace is the set of programs that runs. It is safe for concurrent use.
type Trace struct {
	config Config
	cgroup *os.File
	maps   []*ebpf.Map
	links  []link.Link

	connecting, tcp, udp, programs, stats *ebpf.Map

	limits []string

	mu     sync.RWMutex
	closed bool
}

// Open loads the programs and attaches them. The error is a *Missing where
// the host lacks something; nothing is left attached then.
func Open(config Config) (_ *Trace, err error) {
	t := &Trace{config: config}
	defer func() {
		if err != nil {
			_ = t.Close() // the first fault is the one to tell
		}
	}()
	if t.cgroup, err = openRoot(config.CgroupRoot); err != nil {
		return nil, err
	}
	o := t.layout()
	m, err := t.makeMaps()
	if err != nil {
		return nil, missing(err)
	}
	if err := t.attachAll(m, o); err != nil && o != nil {
		// The helpers that read the kernel's memory may be refused alone.
		t.limits = append(t.limits, fmt.Sprintf("programs cannot be recorded as they connect (%v): grant CAP_PERFMON, and check that the kernel is not locked down", err))
		t.detach()
		if err := t.attachAll(m, nil); err != nil {
			return nil, missing(err)
		}
	} else if err != nil {
		return nil, missing(err)
	}
	return t, nil
}

// layout reads where the kernel keeps things; without it programs are not
// recorded, connections are.
func (t *Trace) layout() *offsets {
	kernel, err := btf.LoadKernelSpec()
	if err == nil {
		var o offsets
		if o, err = readOffsets(kernel); err == nil {
			return &o
		}
	}
	t.limits = append(t.limits, fmt.Sprintf("programs that end at once cannot be named: %v; use a kernel with CONFIG_DEBUG_INFO_BTF", err))
	return nil
}

func (t *Trace) makeMaps() (maps, error) {
	var m maps
	for _, each := range []struct {
		into **ebpf.Map
		fd   *int
		spec ebpf.MapSpec
	}{
		{&t.connecting, &m.connecting, ebpf.MapSpec{Name: "gnomon_open", Type: ebpf.LRUHash, KeySize: 8, ValueSize: connBytes, MaxEntries: uint32(t.config.Connections)}},
		{&t.tcp, &m.tcp, ebpf.MapSpec{Name: "gnomon_tcp", Type: ebpf.LRUHash, KeySize: keyBytes, ValueSize: connBytes, MaxEntries: uint32(t.config.Connections)}},
		{&t.udp, &m.udp, ebpf.MapSpec{Name: "gnomon_udp", Type: ebpf.LRUHash, KeySize: keyBytes, ValueSize: connBytes, MaxEntries: uint32(t.config.Connections)}},
		{&t.programs, &m.programs, ebpf.MapSpec{Name: "gnomon_program", Type: ebpf.LRUHash, KeySize: programKeyBytes, ValueSize: programBytes, MaxEntries: uint32(t.config.Programs)}},
		{nil, &m.empty, ebpf.MapSpec{Name: "gnomon_empty", Type: ebpf.Array, KeySize: 4, ValueSize: programBytes, MaxEntries: 1}},
		{&t.stats, &m.stats, ebpf.MapSpec{Name: "gnomon_stats", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: statCount}},
	} {
		made, err := ebpf.NewMap(&each.spec)
		if err != nil {
			return maps{}, fmt.Errorf("making the map %s: %w", each.spec.Name, err)
		}
		t.maps = append(t.maps, made)
		if each.into != nil {
			*each.into = made
		}
		*each.fd = made.FD()
	}
	return m, nil
}

// attachAll attaches every program to the root of the cgroups. Links hold the
// programs: they are gone with the agent, however it ends.
func (t *Trace) attachAll(m maps, o *offsets) error {
	list := []struct {
		name   string
		kind   ebpf.ProgramType
		attach ebpf.AttachType
		code   asm.Instructions
	}{
		{"gnomon_ops", ebpf.SockOps, ebpf.AttachCGroupSockOps, opsCode(m)},
		{"gnomon_connect4", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Connect, connectCode(m, o, false)},
		{"gnomon_connect6", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet6Connect, connectCode(m, o, true)},
		{"gnomon_send4", ebpf.CGroupSockAddr, ebpf.AttachCGroupUDP4Sendmsg, sendCode(m, o, false)},
		{"gnomon_send6", ebpf.CGroupSockAddr, ebpf.AttachCGroupUDP6Sendmsg, sendCode(m, o, true)},
		{"gnomon_name4", ebpf.CGroupSockAddr, ebpf.AttachCgroupInet4GetSockname, nameCode(m)},
		{"gnomon_name6", ebpf.CGroupSockAddr, ebpf.AttachCgroupInet6GetSockname, nameCode(m)},
		{"gnomon_release", ebpf.CGroupSock, ebpf.AttachCgroupInetSockRelease, nil},
	}
	for _, p := range list {
		if p.code == nil {
			if o == nil {
				continue
			}
			p.code = releaseCode(m, o)
		}
		if err := t.attach(&ebpf.ProgramSpec{Name: p.name, Type: p.kind, AttachType: p.attach, Instructions: p.code, License: license}); err != nil {
			return err
		}
	}
	return nil
}

// license is what the kernel demands for the helpers that read its memory.
const license = "Dual BSD/GPL"

func (t *Trace) attach(spec *ebpf.ProgramSpec) error {
	program, err := ebpf.NewProgram(spec)
	if err != nil {
		return fmt.Errorf("loading %s: %w", spec.Name, err)
	}
	defer program.Close() // the link holds it
	attached, err := link.AttachRawLink(link.RawLinkOptions{Target: int(t.cgroup.Fd()), Program: program, Attach: spec.AttachType})
	if err != nil {
		return fmt.Errorf("attaching %s: %w", spec.Name, err)
	}
	t.links = append(t.links, attached)
	return nil
}

// detach ends the programs.
func (t *Trace) detach() {
	for _, l := range t.links {
		_ = l.Close() // a link is gone with its descriptor
	}
	t.links = nil
}

// Close ends the programs and frees the maps. It may be called twice.
func (t *Trace) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	t.detach()
	var all []error
	for _, m := range t.maps {
		all = append(all, m.Close())
	}
	if t.cgroup != nil {
		all = append(all, t.cgroup.Close())
	}
	return errors.Join(all...)
}
