package capture

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// retireAfter is how long the kernel holds back a block that is not full.
const retireAfter = 50 * time.Millisecond

// ring is a TPACKET_V3 receive ring
// (https://docs.kernel.org/networking/packet_mmap.html): the kernel fills
// blocks of memory that both share, and hands them over one by one.
type ring struct {
	fd     int
	memory []byte
	size   int // of a block
	at     int // the block to read next
	open   bool
	block  ringBlock
	total  Stats
}

// newRing opens a ring that takes no frame until it is bound.
func newRing(snap, buffer int) (*ring, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a packet socket: %w", err)
	}
	r := &ring{fd: fd}
	if err := r.mapMemory(snap, buffer); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// mapMemory makes blocks that hold the largest frame several times.
func (r *ring) mapMemory(snap, buffer int) error {
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return fmt.Errorf("choosing TPACKET_V3: %w", err)
	}
	const smallest, fewest = 128 << 10, 4
	for r.size = smallest; r.size < 2*snap; r.size *= 2 {
	}
	blocks := max(buffer/r.size, fewest)
	request := unix.TpacketReq3{
		Block_size: uint32(r.size), Block_nr: uint32(blocks), Frame_size: smallest, Frame_nr: uint32(r.size / smallest * blocks),
		Retire_blk_tov: uint32(retireAfter.Milliseconds()),
	}
	if err := unix.SetsockoptTpacketReq3(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return fmt.Errorf("making a ring of %d bytes: %w", r.size*blocks, err)
	}
	var err error
	r.memory, err = unix.Mmap(r.fd, 0, r.size*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping a ring of %d bytes: %w", r.size*blocks, err)
	}
	return nil
}

func (r *ring) descriptor() int { return r.fd }

// status is the word of a block that kernel and reader hand over with.
func (r *ring) status() *uint32 {
	return (*uint32)(unsafe.Pointer(&r.memory[r.at*r.size+blockStatus]))
}

// next takes the next frame of the block at hand, or of the next block where
// the kernel handed one over.
func (r *ring) next(frame *Frame) error {
	for {
		if r.open {
			found, err := r.block.next(frame)
			if found && err == nil {
				return nil
			}
			r.release()
			if err != nil {
				return err
			}
		}
		if atomic.LoadUint32(r.status())&unix.TP_STATUS_USER == 0 {
			return ErrTimeout
		}
		var err error
		if r.block, err = openBlock(r.memory[r.at*r.size : (r.at+1)*r.size]); err != nil {
			return err
		}
		r.open = true
	}
}

// release hands the block back.
func (r *ring) release() {
	atomic.StoreUint32(r.status(), unix.TP_STATUS_KERNEL)
	r.open = false
	if r.at++; r.at*r.size == len(r.memory) {
		r.at = 0
	}
}

func (r *ring) stats() (Stats, error) {
	since, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		return r.total, err
	}
	r.total.Received += uint64(since.Packets)
	r.total.Dropped += uint64(since.Drops)
	r.total.Frozen += uint64(since.Freeze_q_cnt)
	return r.total, nil
}

func (r *ring) close() {
	if r.memory != nil {
		_ = unix.Munmap(r.memory) // fails only for what was never mapped
		r.memory = nil
	}
	_ = unix.Close(r.fd)
}
