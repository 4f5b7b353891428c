package sockettrace

import (
	"fmt"

	"github.com/cilium/ebpf/btf"
)

// offsets is where the kernel that runs keeps what the programs read, in bytes.
type offsets struct {
	leader, start, exec, tgid, comm, parent, mm, cgroups int32 // of task_struct
	argStart, exeFile                                    int32 // of mm_struct
	fileDentry, fileMount                                int32 // of file
	dentryParent, dentryName                             int32 // of dentry
	mountRoot                                            int32 // of vfsmount
	mount, mountParent, mountPoint                       int32 // of mount
	cgroup                                               int32 // of css_set
	node                                                 int32 // of cgroup
	nodeName, nodeParent                                 int32 // of kernfs_node
	socketPort                                           int32 // of sock_common
}

// readOffsets asks the type information of the running kernel (BTF,
// https://docs.kernel.org/bpf/btf.html). Reading it takes some megabytes for a
// moment; nothing of it is kept.
func readOffsets(kernel *btf.Spec) (offsets, error) {
	var o offsets
	for _, member := range []struct {
		into *int32
		in   string
		path []string // members, each inside the one before
	}{
		{&o.leader, "task_struct", []string{"group_leader"}},
		{&o.start, "task_struct", []string{"start_boottime|real_start_time"}}, // renamed in Linux 5.5
		{&o.exec, "task_struct", []string{"self_exec_id"}},
		{&o.tgid, "task_struct", []string{"tgid"}},
		{&o.comm, "task_struct", []string{"comm"}},
		{&o.parent, "task_struct", []string{"real_parent"}},
		{&o.mm, "task_struct", []string{"mm"}},
		{&o.cgroups, "task_struct", []string{"cgroups"}},
		{&o.argStart, "mm_struct", []string{"arg_start"}},
		{&o.exeFile, "mm_struct", []string{"exe_file"}},
		{&o.fileDentry, "file", []string{"f_path", "dentry"}},
		{&o.fileMount, "file", []string{"f_path", "mnt"}},
		{&o.dentryParent, "dentry", []string{"d_parent"}},
		{&o.dentryName, "dentry", []string{"d_name", "name"}},
		{&o.mountRoot, "vfsmount", []string{"mnt_root"}},
		{&o.mount, "mount", []string{"mnt"}},
		{&o.mountParent, "mount", []string{"mnt_parent"}},
		{&o.mountPoint, "mount", []string{"mnt_mountpoint"}},
		{&o.cgroup, "css_set", []string{"dfl_cgrp"}},
		{&o.node, "cgroup", []string{"kn"}},
		{&o.nodeName, "kernfs_node", []string{"name"}},
		{&o.nodeParent, "kernfs_node", []string{"__parent|parent"}}, // renamed in Linux 6.15
		{&o.socketPort, "sock_common", []string{"skc_num"}},
	} {
		at, err := offsetOf(kernel, member.in, member.path)
		if err != nil {
			return offsets{}, err
		}
		*member.into = at
	}
	return o, nil
}

// offsetOf returns where a member lies in the structure called name.
func offsetOf(kernel *btf.Spec, name string, path []string) (int32, error) {
	var structure *btf.Struct
	if err := kernel.TypeByName(name, &structure); err != nil {
		return 0, fmt.Errorf("finding struct %s in the type information of the kernel: %w", name, err)
	}
	var inside btf.Type = structure
	var bits btf.Bits
	for _, element := range path {
		at, member, ok := find(inside, element, 0)
		if !ok {
			return 0, fmt.Errorf("struct %s of this kernel has no member %s", name, element)
		}
		bits += at
		inside = member
	}
	if bits%8 != 0 || bits > 1<<20 {
		return 0, fmt.Errorf("struct %s of this kernel has %v at bit %d", name, path, bits)
	}
	return int32(bits / 8), nil
}

// maxNesting bounds anonymous members inside anonymous members.
const maxNesting = 8

// find looks for a member, also inside those without a name; "a|b" is either.
func find(in btf.Type, names string, depth int) (btf.Bits, btf.Type, bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(in).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == "" && depth < maxNesting {
			if at, inner, ok := find(m.Type, names, depth+1); ok {
				return m.Offset + at, inner, true
			}
		}
		if m.Name != "" && isOneOf(names, m.Name) {
			return m.Offset, m.Type, true
		}
	}
	return 0, nil, false
}
