package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// folder is an open folder. Everything inside is opened relative to it, so
// that a link put into its path afterwards leads nowhere.
type folder struct {
	fd   int
	path string
	stat stat
}

// file is an open regular file.
type file struct {
	fd int
}

const (
	folderFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fileFlags   = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC | unix.O_NOCTTY
)

// openRoot opens a root, which may itself be reached through links.
func openRoot(path string) (*folder, error) {
	fd, err := withoutAtime(folderFlags, func(flags int) (int, error) { return unix.Open(path, flags, 0) })
	return newFolder(fd, path, err)
}

// openBelow opens a folder below this one without following any link. rel uses
// slashes; "" is the folder itself.
func (d *folder) openBelow(rel string) (*folder, error) {
	if rel == "" {
		rel = "."
	}
	path := filepath.Join(d.path, rel)
	how := unix.OpenHow{Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := withoutAtime(folderFlags|unix.O_NOFOLLOW, func(flags int) (int, error) {
		how.Flags = uint64(flags)
		return unix.Openat2(d.fd, rel, &how)
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) && strings.Contains(rel, "/") {
		fd, err = d.stepBelow(rel)
	}
	return newFolder(fd, path, err)
}

// stepBelow is openBelow for kernels before 5.6 and sandboxes without openat2:
// one segment at a time.
func (d *folder) stepBelow(rel string) (int, error) {
	at := d.fd
	for name := range strings.SplitSeq(rel, "/") {
		fd, err := withoutAtime(folderFlags|unix.O_NOFOLLOW, func(flags int) (int, error) { return unix.Openat(at, name, flags, 0) })
		if at != d.fd {
			_ = unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		at = fd
	}
	return at, nil
}

// withoutAtime opens with O_NOATIME, which only the owner and root may, and
// without it otherwise.
func withoutAtime(flags int, open func(int) (int, error)) (int, error) {
	for _, f := range []int{flags | unix.O_NOATIME, flags} {
		for {
			fd, err := open(f)
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
				continue
			}
			if errors.Is(err, unix.EPERM) && f != flags {
				break
			}
			return fd, linkError(err)
		}
	}
	return -1, unix.EPERM
}

// linkError marks the errors that mean that a link was met.
func linkError(err error) error {
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%w: %w", errLink, err)
	}
	return err
}

func newFolder(fd int, path string, err error) (*folder, error) {
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return &folder{fd: fd, path: path, stat: statOf(&st)}, nil
}

// close closes the folder.
func (d *folder) close() { _ = unix.Close(d.fd) }

// each calls visit for every name but "." and "..", until it returns false.
func (d *folder) each(visit func(entry) bool) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(d.fd, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("listing %s: %w", d.path, err)
		}
		if n <= 0 {
			return nil
		}
		for b := buf[:n]; len(b) > 19; { // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name
			size := int(binary.NativeEndian.Uint16(b[16:]))
			if size < 20 || size > len(b) {
				return fmt.Errorf("listing %s: %w", d.path, io.ErrUnexpectedEOF)
			}
			name := b[19:size]
			for i, c := range name {
				if c == 0 {
					name = name[:i]
					break
				}
			}
			e := entry{kind: direntKind(b[18])}
			b = b[size:]
			if string(name) == "." || string(name) == ".." || len(name) == 0 {
				continue
			}
			e.name = string(name)
			if !visit(e) {
				return nil
			}
		}
	}
}

func direntKind(t byte) entryKind {
	switch t {
	case unix.DT_REG:
		return kindFile
	case unix.DT_DIR:
		return kindFolder
	case unix.DT_LNK:
		return kindLink
	case unix.DT_UNKNOWN:
		return kindUnknown
	}
	return kindOther
}

// lstat looks at a name in the folder without following a link.
func (d *folder) lstat(name string) (stat, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return stat{}, fmt.Errorf("looking at %s: %w", filepath.Join(d.path, name), err)
	}
	return statOf(&st), nil
}

func statOf(st *unix.Stat_t) stat {
	s := stat{size: st.Size, mtime: time.Unix(st.Mtim.Unix()), inode: st.Ino, device: uint64(st.Dev), owner: st.Uid, kind: kindOther} //nolint:unconvert // 32 bits on some systems
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		s.kind = kindFile
	case unix.S_IFDIR:
		s.kind = kindFolder
	case unix.S_IFLNK:
		s.kind = kindLink
	}
	return s
}

// readlink returns where a link in the folder points.
func (d *folder) readlink(name string) (string, error) {
	buf := make([]byte, 4096)
	n, err := unix.Readlinkat(d.fd, name, buf)
	if err != nil {
		return "", fmt.Errorf("reading link %s: %w", filepath.Join(d.path, name), err)
	}
	return string(buf[:n]), nil
}

// open opens a regular file in the folder for reading.
func (d *folder) open(name string) (file, stat, error) {
	fd, err := withoutAtime(fileFlags, func(flags int) (int, error) { return unix.Openat(d.fd, name, flags, 0) })
	if err != nil {
		return file{-1}, stat{}, fmt.Errorf("opening %s: %w", filepath.Join(d.path, name), err)
	}
	f := file{fd}
	st, err := f.stat()
	if err == nil && st.kind != kindFile {
		err = errNotRegular
	}
	if err != nil {
		f.close()
		return file{-1}, stat{}, fmt.Errorf("opening %s: %w", filepath.Join(d.path, name), err)
	}
	return f, st, nil
}

// stat looks at the open file.
func (f file) stat() (stat, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return stat{}, err
	}
	return statOf(&st), nil
}

// close closes the file.
func (f file) close() { _ = unix.Close(f.fd) }

// ReadAt implements io.ReaderAt.
func (f file) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		k, err := unix.Pread(f.fd, p[n:], off+int64(n))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return n, err
		}
		if k == 0 {
			return n, io.EOF
		}
		n += k
	}
	return n, nil
}

// foreign says whether the file system of an open folder is one that a walk
// does not enter by itself: network, made by the kernel, or layered over
// folders that are looked at where they lie.
func (d *folder) foreign() (string, bool) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.fd, &st); err != nil {
		return "", false
	}
	name, ok := foreignTypes[uint32(st.Type)]
	return name, ok
}

// foreignTypes are magic numbers of statfs(2).
var foreignTypes = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "nfs", unix.SMB_SUPER_MAGIC: "smb", unix.SMB2_SUPER_MAGIC: "smb", unix.CIFS_SUPER_MAGIC: "cifs",
	unix.CEPH_SUPER_MAGIC: "ceph", unix.AFS_FS_MAGIC: "afs", unix.AFS_SUPER_MAGIC: "afs", unix.CODA_SUPER_MAGIC: "coda",
	unix.V9FS_MAGIC: "9p", unix.FUSE_SUPER_MAGIC: "fuse", 0x0bd00bd0: "lustre", 0x19830326: "fhgfs", 0x47504653: "gpfs",
	unix.PROC_SUPER_MAGIC: "proc", unix.SYSFS_MAGIC: "sysfs", unix.DEBUGFS_MAGIC: "debugfs", unix.TRACEFS_MAGIC: "tracefs",
	unix.CGROUP_SUPER_MAGIC: "cgroup", unix.CGROUP2_SUPER_MAGIC: "cgroup2", unix.DEVPTS_SUPER_MAGIC: "devpts",
	unix.SECURITYFS_MAGIC: "securityfs", unix.BPF_FS_MAGIC: "bpf", unix.PSTOREFS_MAGIC: "pstore", unix.EFIVARFS_MAGIC: "efivarfs",
	unix.AUTOFS_SUPER_MAGIC: "autofs", unix.NSFS_MAGIC: "nsfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.SQUASHFS_MAGIC: "squashfs",
}
