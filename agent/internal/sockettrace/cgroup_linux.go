package sockettrace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxMountinfo bounds what is read of the mount table.
const maxMountinfo = 1 << 20

// errNoRoot says that the root of the control groups cannot be reached.
var errNoRoot = errors.New("the root of the control groups (version 2) cannot be seen")

// openRoot opens the root of the control groups, which every process is below.
func openRoot(configured string) (*os.File, error) {
	const remedy = "mount cgroup2 (usually at /sys/fs/cgroup); in a container, mount the host's one into it and name it in owner.cgroup_root"
	candidates := []string{configured}
	if configured == "" {
		var err error
		if candidates, err = mounted(); err != nil {
			return nil, &Missing{Cause: err, Remedy: remedy}
		}
	}
	for _, candidate := range candidates {
		if isRoot(candidate) {
			root, err := os.Open(candidate)
			if err != nil {
				return nil, &Missing{Cause: err, Remedy: remedy}
			}
			return root, nil
		}
	}
	return nil, &Missing{Cause: fmt.Errorf("%w: looked at %q", errNoRoot, candidates), Remedy: remedy}
}

// isRoot reports whether folder is the root: it is version 2 and has not the
// files that every group but the root has (cgroups(7), cgroup.events).
// A container that has its own namespace of groups sees its own group in place
// of the root.
func isRoot(folder string) bool {
	if _, err := os.Stat(filepath.Join(folder, "cgroup.controllers")); err != nil {
		return false
	}
	_, err := os.Lstat(filepath.Join(folder, "cgroup.events"))
	return errors.Is(err, os.ErrNotExist)
}

// mounted lists where cgroup2 is mounted.
func mounted() ([]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("looking for the control groups: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxMountinfo))
	if err != nil {
		return nil, fmt.Errorf("looking for the control groups: %w", err)
	}
	return cgroupMounts(data), nil
}

// cgroupMounts finds cgroup2 in a mount table (proc(5), /proc/pid/mountinfo).
func cgroupMounts(mountinfo []byte) []string {
	var list []string
	for line := range bytes.Lines(mountinfo) {
		before, after, ok := bytes.Cut(line, []byte(" - "))
		fields := bytes.Fields(before)
		if !ok || len(fields) < 5 || !bytes.HasPrefix(after, []byte("cgroup2 ")) {
			continue
		}
		list = append(list, unescape(string(fields[4])))
	}
	return list
}

// unescape undoes how the mount table writes blanks.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
