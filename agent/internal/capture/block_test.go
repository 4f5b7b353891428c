package capture

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// testBlock builds a block as the kernel does, with the frames given.
func testBlock(frames ...[]byte) []byte {
	order := binary.NativeEndian
	block := make([]byte, blockHeader)
	order.PutUint32(block[blockFrames:], uint32(len(frames)))
	order.PutUint32(block[blockFirst:], blockHeader)
	for i, data := range frames {
		h := make([]byte, 82+len(data))
		order.PutUint32(h[ringTime:], uint32(1000+i))
		order.PutUint32(h[ringTime+4:], 7)
		order.PutUint32(h[ringKept:], uint32(len(data)))
		order.PutUint32(h[ringLength:], uint32(len(data)+i))
		order.PutUint16(h[ringData:], 82)
		copy(h[82:], data)
		for len(h)%16 != 0 {
			h = append(h, 0)
		}
		if i < len(frames)-1 {
			order.PutUint32(h[ringNext:], uint32(len(h)))
		}
		block = append(block, h...)
	}
	return block
}

func TestBlockGivesItsFrames(t *testing.T) {
	want := [][]byte{[]byte("first"), []byte("the second frame"), {}}
	b, err := openBlock(testBlock(want...))
	if err != nil {
		t.Fatal(err)
	}
	var f Frame
	for i, data := range want {
		if found, err := b.next(&f); !found || err != nil {
			t.Fatalf("frame %d: %v, %v", i, found, err)
		}
		if !bytes.Equal(f.Data, data) || f.Length != len(data)+i || !f.Time.Equal(time.Unix(int64(1000+i), 7)) {
			t.Errorf("frame %d: %+v", i, f)
		}
	}
	if found, err := b.next(&f); found || err != nil {
		t.Errorf("behind the last: %v, %v", found, err)
	}
}

func TestBlockIsNotTrusted(t *testing.T) {
	order := binary.NativeEndian
	f := func(what string, frames int, change func(block []byte)) {
		t.Helper()
		block := testBlock([]byte("first"), []byte("second"))
		change(block)
		b, err := openBlock(block)
		n := 0
		for found := true; found && err == nil; {
			var frame Frame
			if found, err = b.next(&frame); found {
				n++
			}
		}
		if err == nil || n != frames {
			t.Errorf("%s: %d frames, %v", what, n, err)
		}
	}
	f("first frame beyond the end", 0, func(b []byte) { order.PutUint32(b[blockFirst:], uint32(len(b))) })
	f("first frame in the header", 0, func(b []byte) { order.PutUint32(b[blockFirst:], 8) })
	f("data beyond the end", 0, func(b []byte) { order.PutUint16(b[blockHeader+ringData:], 0xffff) })
	f("data in the header", 0, func(b []byte) { order.PutUint16(b[blockHeader+ringData:], 3) })
	f("more kept than there is", 0, func(b []byte) { order.PutUint32(b[blockHeader+ringKept:], 1<<31) })
	f("next frame beyond the end", 1, func(b []byte) { order.PutUint32(b[blockHeader+ringNext:], 1<<30) })
	f("next frame is the same", 1, func(b []byte) { order.PutUint32(b[blockHeader+ringNext:], 0) })
	f("more frames than there are", 2, func(b []byte) { order.PutUint32(b[blockFrames:], 3) })
	if _, err := openBlock(make([]byte, 10)); err == nil {
		t.Error("a block of 10 bytes is one")
	}
}

func TestBlockAllocatesNothing(t *testing.T) {
	block := testBlock(make([]byte, 100), make([]byte, 1500))
	var f Frame
	if n := testing.AllocsPerRun(100, func() {
		b, _ := openBlock(block)
		for found := true; found; {
			found, _ = b.next(&f)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(testBlock())
	f.Add(testBlock([]byte("first")))
	f.Add(testBlock(make([]byte, 60), make([]byte, 1514), make([]byte, 9000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := openBlock(data)
		if err != nil {
			return
		}
		declared, frames, kept := b.left, 0, 0
		for {
			var frame Frame
			found, err := b.next(&frame)
			if found {
				frames++
				kept += len(frame.Data)
				if frame.Length < len(frame.Data) || len(frame.Data) > len(data) {
					t.Fatalf("frame of %d bytes, %d on the wire, block of %d", len(frame.Data), frame.Length, len(data))
				}
			}
			if err != nil || !found {
				break
			}
		}
		if frames > max(declared, 0) || frames*ringHeader > len(data) {
			t.Fatalf("%d frames of %d declared in %d bytes", frames, declared, len(data))
		}
		if found, err := b.next(new(Frame)); found || err != nil {
			t.Fatalf("behind the end: %v, %v", found, err)
		}
	})
}
