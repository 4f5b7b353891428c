package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// list fills h.pids, newest first: ids grow until they start again from low
// numbers, so the order begins at the id given out last.
func (h *Holders) list() error {
	h.pids = h.pids[:0]
	root, err := os.Open(h.config.ProcRoot)
	if err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	defer root.Close()
	if err := h.eachEntry(int(root.Fd()), func(name []byte) {
		if pid, ok := parseUint(name); ok && pid > 0 && pid <= 1<<22 {
			h.pids = append(h.pids, int32(pid))
		}
	}); err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	last, ok := h.last()
	if !ok {
		last = 1 << 22
	}
	rotateNewest(h.pids, last)
	h.users = h.users[:0]
	for _, pid := range h.pids {
		h.users = append(h.users, h.userOf(pid))
	}
	return nil
}

// rotateNewest orders ascending ids downwards from last, and then from the top.
func rotateNewest(pids []int32, last int32) {
	reverse := func(p []int32) {
		for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
			p[i], p[j] = p[j], p[i]
		}
	}
	split := 0
	for split < len(pids) && pids[split] <= last {
		split++
	}
	reverse(pids[:split])
	reverse(pids[split:])
}

// userOf returns the effective user of pid, as the owner of its folder; an
// undumpable process shows as user 0.
func (h *Holders) userOf(pid int32) uint32 {
	var stat unix.Stat_t
	if err := unix.Stat(h.config.ProcRoot+"/"+strconv.Itoa(int(pid)), &stat); err != nil {
		return 0
	}
	return stat.Uid
}

type scanResult uint8

const (
	scanMissed scanResult = iota
	scanFound
	scanDenied
	scanGone
)

func (h *Holders) scan(pid int32, inode uint32) scanResult {
	found := false
	result := h.scanEach(pid, func(seen uint32, fd int32) bool {
		h.known.put(seen, holding{pid: pid, fd: fd})
		found = seen == inode
		return !found
	})
	if found {
		return scanFound
	}
	return result
}

func (h *Holders) scanFor(pid int32, want map[uint32]struct{}) scanResult {
	return h.scanEach(pid, func(seen uint32, fd int32) bool {
		if _, ok := want[seen]; ok {
			h.known.put(seen, holding{pid: pid, fd: fd})
			delete(want, seen)
			return len(want) > 0
		}
		if _, ok := h.known.get(seen); !ok {
			h.known.put(seen, holding{pid: pid, fd: fd})
		}
		return true
	})
}

// scanEach hands every open socket of pid to take until it returns false.
func (h *Holders) scanEach(pid int32, take func(inode uint32, fd int32) bool) scanResult {
	h.path = append(h.appendFolder(h.path[:0], pid), 0)
	folder, errno := openRaw(&h.path[0])
	switch {
	case errno == unix.EACCES || errno == unix.EPERM:
		return scanDenied
	case errno != 0:
		return scanGone
	}
	defer unix.Close(folder)
	going, refused := true, false
	err := h.eachEntry(folder, func(name []byte) {
		fd, ok := parseUint(name)
		if !ok || !going || fd > 1<<31-1 {
			return
		}
		h.counts.Links++
		// name ends with a zero within the buffer, see eachEntry.
		n, errno := readlinkRaw(folder, &name[0], h.link[:])
		if errno != 0 {
			refused = refused || isDenied(errno)
			return
		}
		if inode, ok := parseSocketLink(h.link[:n]); ok {
			going = take(inode, int32(fd))
		}
	})
	if refused || isDenied(err) {
		// The links of a process that just ended are refused too.
		var stat unix.Stat_t
		if unix.Stat(h.config.ProcRoot+"/"+strconv.Itoa(int(pid)), &stat) != nil {
			return scanGone
		}
		return scanDenied // CAP_DAC_READ_SEARCH opens the folder, CAP_SYS_PTRACE reads the links: both are needed
	}
	return scanMissed
}

// appendFolder appends the path of the open files of pid.
func (h *Holders) appendFolder(path []byte, pid int32) []byte {
	path = append(path, h.config.ProcRoot...)
	path = append(path, '/')
	path = strconv.AppendInt(path, int64(pid), 10)
	return append(path, "/fd"...)
}

// Layout of struct linux_dirent64 (getdents(2)).
const (
	direntLength = 16
	direntName   = 19
)

// eachEntry hands over the names in folder. A name is part of h.entries and is
// followed by a zero there.
func (h *Holders) eachEntry(folder int, take func(name []byte)) error {
	for {
		n, err := unix.Getdents(folder, h.entries)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		if n <= 0 {
			return nil
		}
		for data := h.entries[:n]; len(data) > direntName; {
			length := int(binary.NativeEndian.Uint16(data[direntLength:]))
			if length <= direntName || length > len(data) {
				return errors.New("malformed folder listing")
			}
			name := data[direntName:length]
			end := 0
			for end < len(name) && name[end] != 0 {
				end++
			}
			if end > 0 && end < len(name) {
				take(name[:end])
			}
			data = data[length:]
		}
	}
}

// openRaw and readlinkRaw are openat(2) and readlinkat(2) on a zero-ended name:
// the wrappers of x/sys/unix copy the name for each call, and a walk makes tens
// of thousands of them.
func openRaw(name *byte) (fd int, errno unix.Errno) {
	at := unix.AT_FDCWD
	got, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(name)),
		unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0, 0, 0)
	return int(got), errno
}

func readlinkRaw(folder int, name *byte, into []byte) (int, unix.Errno) {
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(folder), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(&into[0])), uintptr(len(into)), 0, 0)
	return int(n), errno
}
