package modelformat

import (
	"strconv"
)

// ONNX: a protobuf ModelProto without a magic number. It is accepted when the
// whole file is a message made of ModelProto's fields alone, with exactly one
// graph that is made of GraphProto's fields alone, and at least one opset.
// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.

type onnxReader struct {
	c          *cursor
	f          *File
	res        Result
	graphAt    int64
	graphSize  uint64
	graphs     int
	opsets     int
	version    uint64
	nodes      uint64
	outputs    uint64
	tensors    uint64
	parameters uint64
}

// onnxMaxParts is how many files of external data are listed.
const onnxMaxParts = 256

func detectONNX(f *File) (Result, bool) {
	if !firstTag(f.head, "\x08\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2\xca\xd2") {
		return Result{}, false
	}
	o := onnxReader{f: f, res: Result{Format: "onnx", Confidence: Certain}}
	o.c = f.cursor(0, f.size)
	if !walkProto(o.c, uint64(f.size), o.model) || o.graphs != 1 || o.opsets == 0 {
		return Result{}, false
	}
	o.c = f.cursor(o.graphAt, o.graphAt+int64(o.graphSize))
	if !walkProto(o.c, o.graphSize, o.graph) && !f.cut {
		return Result{}, false
	}
	if o.version == 0 && o.nodes == 0 && o.outputs == 0 {
		return Result{}, false
	}
	if !f.cut {
		o.res.set(FactTensors, strconv.FormatUint(o.tensors, 10))
		if o.parameters > 0 {
			o.res.set(FactParameters, strconv.FormatUint(o.parameters, 10))
		}
	}
	return o.res, true
}

// model visits the fields of ModelProto.
func (o *onnxReader) model(p protoField) bool {
	switch p.number {
	case 1:
		o.version = p.value
		o.res.set(FactFormatVersion, strconv.FormatUint(p.value, 10))
		return p.wire == wireVarint && p.value < 1<<16
	case 5:
		if p.wire == wireVarint && p.value != 0 {
			o.res.set(FactVersion, strconv.FormatInt(int64(p.value), 10))
		}
		return p.wire == wireVarint
	case 2, 3, 4, 6, 7, 8, 14, 20, 25, 26:
	default:
		return false
	}
	if p.wire != wireBytes {
		return false
	}
	switch p.number {
	case 2:
		o.res.set(FactProducer, protoString(o.c, p))
	case 3:
		o.res.set(FactProducerVersion, protoString(o.c, p))
	case 7:
		o.graphs++
		o.graphAt, o.graphSize = o.c.offset(), p.size
	case 8:
		o.opsets++
		return o.opset(p)
	case 14:
		return o.property(p)
	}
	return true
}

// opset visits an OperatorSetIdProto: domain 1, version 2.
func (o *onnxReader) opset(p protoField) bool {
	domain, version := "", uint64(0)
	ok := walkProto(o.c, p.size, func(q protoField) bool {
		switch {
		case q.number == 1 && q.wire == wireBytes:
			domain = protoString(o.c, q)
		case q.number == 2 && q.wire == wireVarint:
			version = q.value
		default:
			return false
		}
		return true
	})
	if ok && (domain == "" || domain == "ai.onnx") {
		o.res.set(FactOpset, strconv.FormatUint(version, 10))
	}
	return ok
}

// property visits a StringStringEntryProto: key 1, value 2.
func (o *onnxReader) property(p protoField) bool {
	key, value, ok := o.entry(p)
	switch key {
	case "license", "License":
		o.res.set(FactLicense, value)
	case "model_name", "name":
		o.res.set(FactName, value)
	case "model_author", "author":
		o.res.set(FactOrganization, value)
	}
	return ok
}

func (o *onnxReader) entry(p protoField) (key, value string, ok bool) {
	ok = walkProto(o.c, p.size, func(q protoField) bool {
		if q.wire != wireBytes || q.number < 1 || q.number > 2 {
			return false
		}
		if q.number == 1 {
			key = protoString(o.c, q)
		} else {
			value = protoString(o.c, q)
		}
		return true
	})
	return key, value, ok
}

// graph visits the fields of GraphProto.
func (o *onnxReader) graph(p protoField) bool {
	if p.wire != wireBytes {
		return false
	}
	switch p.number {
	case 1:
		o.nodes++
	case 2:
		if o.res.Facts[FactName] == "" {
			o.res.set(FactName, protoString(o.c, p))
		}
	case 5:
		o.tensors++
		return o.tensor(p)
	case 12:
		o.outputs++
	case 10, 11, 13, 14, 15, 16:
	default:
		return false
	}
	return true
}

// tensor visits a TensorProto for dims 1 and external_data 13.
func (o *onnxReader) tensor(p protoField) bool {
	n := uint64(1)
	ok := walkProto(o.c, p.size, func(q protoField) bool {
		switch {
		case q.number == 1 && q.wire == wireVarint:
			n = mul(n, q.value)
		case q.number == 1 && q.wire == wireBytes:
			for end := o.c.offset() + int64(q.size); o.c.offset() < end && o.c.err == nil; {
				n = mul(n, o.c.uvarint())
			}
		case q.number == 13 && q.wire == wireBytes:
			key, value, ok := o.entry(q)
			if ok && key == "location" {
				o.external(value)
			}
			return ok
		}
		return true
	})
	o.parameters = add(o.parameters, n)
	return ok
}

// external records a file of weights that the model names.
func (o *onnxReader) external(location string) {
	o.res.set(FactExternalData, "yes")
	path, ok := relativePart(location)
	if !ok || len(o.res.Parts) >= onnxMaxParts {
		return
	}
	for _, p := range o.res.Parts {
		if p.Path == path {
			return
		}
	}
	o.res.Parts = append(o.res.Parts, Part{Path: path})
}
