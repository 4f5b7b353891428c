package modelformat

import (
	"strconv"
)

// PaddlePaddle programs: a protobuf ProgramDesc without a magic number, with
// blocks 1, op_compatible_map 3, version 4 and op_version_map 5. It is accepted
// when the whole file is made of these, every block has its two numbers, its
// variables and its operators, and every operator a type. Source:
// https://github.com/PaddlePaddle/Paddle/blob/develop/paddle/fluid/framework/framework.proto.

type paddleReader struct {
	c         *cursor
	blocks    int
	operators int
	variables int
	version   uint64
}

func detectPaddle(f *File) (Result, bool) {
	if !firstTag(f.head, "\x0a") {
		return Result{}, false
	}
	p := paddleReader{c: f.cursor(0, f.size)}
	if !walkProto(p.c, uint64(f.size), p.program) && !(f.cut && p.operators > 8) || p.blocks == 0 || p.operators == 0 || p.variables == 0 {
		return Result{}, false
	}
	res := Result{Format: "paddle-program", Confidence: Certain}
	res.set(FactFramework, "paddle")
	if p.version > 0 {
		res.set(FactProducerVersion, strconv.FormatUint(p.version/1_000_000%1000, 10)+"."+
			strconv.FormatUint(p.version/1000%1000, 10)+"."+strconv.FormatUint(p.version%1000, 10))
	}
	if base, ok := f.stem(".pdmodel"); ok {
		if part, ok := relativePart(base + ".pdiparams"); ok {
			res.Parts = append(res.Parts, Part{Path: part})
		}
	}
	return res, true
}

// program visits the fields of ProgramDesc.
func (p *paddleReader) program(q protoField) bool {
	if q.wire != wireBytes {
		return false
	}
	switch q.number {
	case 1:
		p.blocks++
		return p.block(q)
	case 4:
		return walkProto(p.c, q.size, func(v protoField) bool {
			p.version = v.value
			return v.number == 1 && v.wire == wireVarint
		})
	}
	return q.number == 3 || q.number == 5
}

// block visits a BlockDesc: idx 1, parent_idx 2, vars 3, ops 4,
// forward_block_idx 5.
func (p *paddleReader) block(q protoField) bool {
	numbers := 0
	return walkProto(p.c, q.size, func(v protoField) bool {
		switch {
		case v.number <= 2 && v.wire == wireVarint:
			numbers++
		case v.number == 3 && v.wire == wireBytes:
			p.variables++
		case v.number == 4 && v.wire == wireBytes:
			p.operators++
			return p.operator(v)
		case v.number == 5 && v.wire == wireVarint:
		default:
			return false
		}
		return true
	}) && numbers == 2
}

// operator visits an OpDesc: inputs 1, outputs 2, type 3, attrs 4, is_target 5.
func (p *paddleReader) operator(q protoField) bool {
	kinds := 0
	return walkProto(p.c, q.size, func(v protoField) bool {
		switch v.number {
		case 3:
			kinds++
			return v.wire == wireBytes && v.size > 0 && v.size < 128
		case 1, 2, 4:
			return v.wire == wireBytes
		case 5:
			return v.wire == wireVarint
		}
		return false
	}) && kinds == 1
}
