package inspect

import (
	"bytes"
	"errors"
	"math"
	"path"
	"strings"
)

// kernelThreadFlag is PF_KTHREAD of include/linux/sched.h.
const kernelThreadFlag = 0x00200000

// maxCommBytes is TASK_COMM_LEN less its final zero (include/linux/sched.h).
const maxCommBytes = 15

// procStat holds the fields of /proc/PID/stat that are used, see proc(5).
type procStat struct {
	comm       []byte // part of the input
	state      byte
	parent     int32
	flags      uint64
	start      uint64 // clock ticks since boot
	startStack uint64 // 0 without the right to trace the process
}

var errStat = errors.New("malformed process status line")

// parseStat decodes one /proc/PID/stat line. The name in parentheses may hold
// anything, so it ends at the last ")". Only part of data is kept.
func parseStat(data []byte) (procStat, error) {
	open := bytes.IndexByte(data, '(')
	end := bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return procStat{}, errStat
	}
	s := procStat{comm: data[open+1 : end]}
	rest := data[end+1:]
	for field := 3; field <= 28; field++ {
		rest = bytes.TrimLeft(rest, " ")
		stop := bytes.IndexAny(rest, " \n")
		if stop < 0 {
			stop = len(rest)
		}
		word := rest[:stop]
		rest = rest[stop:]
		if len(word) == 0 {
			if field > 22 {
				return s, nil // old or cut line: the image stays unknown
			}
			return procStat{}, errStat
		}
		ok := true
		switch field {
		case 3:
			s.state = word[0]
		case 4:
			var parent uint64
			if parent, ok = parseUint(word); ok && parent <= math.MaxInt32 {
				s.parent = int32(parent)
			}
		case 9:
			s.flags, ok = parseUint(word)
		case 22:
			s.start, ok = parseUint(word)
		case 28:
			s.startStack, ok = parseUint(word)
		}
		if !ok {
			return procStat{}, errStat
		}
	}
	return s, nil
}

// parseUint reads a run of decimal digits; ok is false for anything else and
// on overflow. It does not allocate.
func parseUint(word []byte) (value uint64, ok bool) {
	if len(word) == 0 {
		return 0, false
	}
	for _, c := range word {
		if c < '0' || c > '9' {
			return 0, false
		}
		digit := uint64(c - '0')
		if value > (math.MaxUint64-digit)/10 {
			return 0, false
		}
		value = value*10 + digit
	}
	return value, true
}

// splitArguments splits a zero-separated command line into at most maxArgs
// elements; cut reports that there was more, or that the caller's buffer was
// full. A command line that a program replaced by one text with spaces
// (setproctitle) stays one element.
func splitArguments(data []byte, full bool, maxArgs int) (arguments []string, cut bool) {
	data = bytes.TrimRight(data, "\x00")
	if len(data) == 0 {
		return nil, full
	}
	for len(data) > 0 {
		if len(arguments) == maxArgs {
			return arguments, true
		}
		argument := data
		if end := bytes.IndexByte(data, 0); end >= 0 {
			argument, data = data[:end], data[end+1:]
		} else {
			data = nil
		}
		arguments = append(arguments, string(argument))
	}
	return arguments, full
}

// statusID finds "name:" in /proc/PID/status and returns the first number
// after it.
func statusID(status []byte, name string) (id uint64, ok bool) {
	for len(status) > 0 {
		line := status
		if end := bytes.IndexByte(status, '\n'); end >= 0 {
			line, status = status[:end], status[end+1:]
		} else {
			status = nil
		}
		if len(line) <= len(name) || line[len(name)] != ':' || string(line[:len(name)]) != name {
			continue
		}
		word := bytes.TrimLeft(line[len(name)+1:], " \t")
		if end := bytes.IndexAny(word, " \t"); end >= 0 {
			word = word[:end]
		}
		return parseUint(word)
	}
	return 0, false
}

// containerIDBytes is the length of the hexadecimal ids that docker,
// containerd, CRI-O and podman give.
const containerIDBytes = 64

// containerID finds the container in a /proc/PID/cgroup text (cgroups(7)): the
// last path segment that is a 64-digit id, alone or as docker-ID.scope,
// cri-containerd-ID.scope, crio-ID.scope, libpod-ID.scope. The monitor of a
// podman container (libpod-conmon-ID.scope) runs outside it.
func containerID(cgroup []byte) string {
	found := ""
	for line := range bytes.Lines(cgroup) {
		_, controllers, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		_, group, ok := bytes.Cut(controllers, []byte{':'})
		if !ok {
			continue
		}
		for len(group) > 0 {
			segment := group
			if end := bytes.IndexByte(group, '/'); end >= 0 {
				segment, group = group[:end], group[end+1:]
			} else {
				group = nil
			}
			segment = bytes.TrimSpace(segment)
			if id := segmentID(segment); id != nil {
				found = string(id)
			}
		}
		if found != "" {
			return found
		}
	}
	return found
}

// segmentID returns the container id of one cgroup path segment, or nil.
func segmentID(segment []byte) []byte {
	segment = bytes.TrimSuffix(segment, []byte(".scope"))
	if len(segment) < containerIDBytes {
		return nil
	}
	prefix, id := segment[:len(segment)-containerIDBytes], segment[len(segment)-containerIDBytes:]
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return nil
		}
	}
	if len(prefix) == 0 {
		return id
	}
	if bytes.Contains(prefix, []byte("conmon")) {
		return nil
	}
	if last := prefix[len(prefix)-1]; last != '-' && last != ':' {
		return nil
	}
	return id
}

// ProgramName is the name of a program as Facts gives it: the base name of the
// executable or, where that is hidden, the kernel's short name.
func ProgramName(executable, comm string, arguments []string) string {
	return processName(executable, comm, arguments)
}

// processName is the base name of the executable or, where that is hidden,
// the kernel's name, completed from the first argument when it was cut there.
func processName(executable, comm string, arguments []string) string {
	if executable != "" {
		return baseName(executable)
	}
	if len(comm) == maxCommBytes && len(arguments) > 0 {
		if base := baseName(arguments[0]); strings.HasPrefix(base, comm) {
			return base
		}
	}
	return comm
}

// baseName returns what follows the last separator, of either kind where the
// path has a drive letter.
func baseName(file string) string {
	if len(file) > 2 && file[1] == ':' {
		file = file[strings.LastIndexByte(file, '\\')+1:]
	}
	if file == "" {
		return ""
	}
	return path.Base(file)
}

// deletedMark is what the kernel appends to the link of a removed file
// (proc(5), /proc/pid/exe).
const deletedMark = " (deleted)"

// bounded keeps the first elements of a command line that was read whole.
func bounded(arguments []string, maxArgs, maxBytes int) (kept []string, cut bool) {
	used := 0
	for i, argument := range arguments {
		if used += len(argument) + 1; i == maxArgs || used > maxBytes {
			return arguments[:i:i], true
		}
	}
	return arguments, false
}

// hidepidOption returns the hidepid option of the procfs mounted at root, ""
// where it has none that hides. The fields are those of proc(5),
// /proc/pid/mountinfo.
func hidepidOption(mountinfo []byte, root string) string {
	for line := range bytes.Lines(mountinfo) {
		fields := bytes.Fields(line)
		if len(fields) < 10 || string(fields[4]) != root {
			continue
		}
		options := fields[len(fields)-1]
		for option := range bytes.SplitSeq(options, []byte{','}) {
			value, ok := bytes.CutPrefix(option, []byte("hidepid="))
			if ok && string(value) != "0" && string(value) != "off" {
				return string(option)
			}
		}
	}
	return ""
}
