package modelformat

import "strconv"

// detectCoreML recognises Core ML's protobuf: specificationVersion 1,
// description 2 and exactly one model type. Source: apple/coremltools,
// mlmodel/format/Model.proto.
func detectCoreML(f *File) (Result, bool) {
	if !firstTag(f.head, "\x08") || len(f.head) < 4 || f.head[1] == 0 || f.head[1] > 32 {
		return Result{}, false
	}
	c := f.cursor(0, f.size)
	res := Result{Format: "coreml-mlmodel", Confidence: Certain}
	types, described := 0, false
	ok := walkProto(c, uint64(f.size), func(p protoField) bool {
		switch {
		case p.number == 1 && p.wire == wireVarint:
			res.set(FactFormatVersion, strconv.FormatUint(p.value, 10))
			return p.value > 0 && p.value <= 32
		case p.number == 10 && p.wire == wireVarint: // isUpdatable
			return p.value <= 1
		case p.wire != wireBytes:
			return false
		case p.number == 2:
			described = true
			return coreMLDescription(c, p.size, &res)
		}
		name, ok := coreMLType(p.number)
		types++
		res.set(FactClass, name)
		return ok
	})
	if !ok || types != 1 || !described {
		return Result{}, false
	}
	return res, true
}

// coreMLDescription visits ModelDescription for metadata 100: shortDescription
// 1, versionString 2, author 3, license 4.
func coreMLDescription(c *cursor, size uint64, res *Result) bool {
	return walkProto(c, size, func(p protoField) bool {
		if p.number != 100 || p.wire != wireBytes {
			return p.wire == wireBytes
		}
		return walkProto(c, p.size, func(q protoField) bool {
			if q.wire != wireBytes {
				return false
			}
			switch q.number {
			case 1:
				res.set(FactDescription, protoString(c, q))
			case 2:
				res.set(FactVersion, protoString(c, q))
			case 3:
				res.set(FactOrganization, protoString(c, q))
			case 4:
				res.set(FactLicense, protoString(c, q))
			}
			return true
		})
	})
}

// coreMLType names the field of the oneof Type.
func coreMLType(n uint64) (string, bool) {
	switch n {
	case 200, 201, 202:
		return "pipeline", true
	case 300, 303, 403, 500:
		return "network_or_classifier", true
	case 301, 302, 304, 400, 401, 402, 404, 501:
		return "classic", true
	case 502:
		return "ml_program", true
	case 555, 556, 560, 600, 601, 602, 603, 604, 606, 607, 609, 610:
		return "transform", true
	case 900:
		return "identity", true
	case 2000, 2001, 2002, 2003, 2004, 2005, 2006:
		return "apple_preset", true
	case 3000:
		return "serialized", true
	}
	return "", false
}
