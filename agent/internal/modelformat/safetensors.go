package modelformat

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
)

// safetensors: an 8-byte little-endian length, a JSON header of that length,
// then the tensors without gaps. Source:
// https://github.com/huggingface/safetensors#format (header at most 100 MB) and
// https://github.com/Stability-AI/ModelSpec for modelspec.*.

const safetensorsMaxHeader = 100_000_000

type safetensorsReader struct {
	j          *jsonReader
	res        *Result
	data       uint64 // bytes after the header
	tensors    uint64
	bytes      uint64 // sum of the tensors' sizes
	last       uint64 // largest end
	parameters uint64
	dtypes     []dtypeCount
	problem    string
}

type dtypeCount struct {
	name string
	n    uint64
}

func detectSafetensors(f *File) (Result, bool) {
	if len(f.head) < 16 || f.head[8] != '{' {
		return Result{}, false
	}
	n := binary.LittleEndian.Uint64(f.head)
	if n < 2 || n > safetensorsMaxHeader || n > uint64(f.size)-8 {
		return Result{}, false
	}
	res := Result{Format: "safetensors", Confidence: Certain}
	s := safetensorsReader{
		j:    newJSON(f.cursor(8, 8+int64(n))),
		res:  &res,
		data: uint64(f.size) - 8 - n,
	}
	whole := s.header()
	if !whole && !(f.cut && s.tensors > 0) {
		return Result{}, false
	}
	if s.tensors == 0 {
		return Result{}, false // any JSON object would do
	}
	s.facts()
	if !whole {
		return res, true
	}
	switch {
	case s.problem != "":
		res.damaged(s.problem)
	case s.last > s.data:
		res.damaged("tensors end after the file does: it is cut or still being written")
	case s.bytes != s.data || s.last != s.data:
		res.damaged("tensors do not fill the file")
	}
	return res, true
}

// header reads the JSON header; false where it is not one.
func (s *safetensorsReader) header() bool {
	if s.j.next() != '{' {
		return false
	}
	for {
		switch s.j.next() {
		case 'k':
			if string(s.j.text) == "__metadata__" {
				if !s.metadata() {
					return false
				}
				continue
			}
			if !s.tensor() {
				return false
			}
		case '}':
			return s.padding()
		default:
			return false
		}
	}
}

// padding accepts the spaces that align the data.
func (s *safetensorsReader) padding() bool {
	for s.j.c.rest() > 0 {
		if b := s.j.c.byte(); b != ' ' && b != '\n' && b != 0 || s.j.c.err != nil {
			return false
		}
	}
	return true
}

// metadata reads the map of strings.
func (s *safetensorsReader) metadata() bool {
	if s.j.next() != '{' {
		return s.j.c.err == nil && s.j.state == ',' && string(s.j.text) == "null"
	}
	for {
		switch s.j.next() {
		case 'k':
			key := string(s.j.text)
			if s.j.next() != 's' {
				return false
			}
			s.note(key, string(s.j.text))
		case '}':
			return true
		default:
			return false
		}
	}
}

func (s *safetensorsReader) note(key, value string) {
	switch strings.TrimPrefix(key, "modelspec.") {
	case "format":
		s.res.set(FactFramework, value)
	case "title", "name", "ss_output_name":
		s.res.set(FactName, value)
	case "architecture", "ss_base_model_version":
		s.res.set(FactArchitecture, value)
	case "author":
		s.res.set(FactOrganization, value)
	case "license":
		s.res.set(FactLicense, value)
	case "version":
		s.res.set(FactVersion, value)
	case "ss_sd_model_name", "base_model":
		s.res.set(FactBaseModel, value)
	case "description":
		s.res.set(FactDescription, value)
	}
}

// tensor reads one tensor's entry.
func (s *safetensorsReader) tensor() bool {
	if s.j.next() != '{' {
		return false
	}
	var dtype string
	var have int
	var from, to uint64
	count := uint64(1)
	for {
		switch s.j.next() {
		case 'k':
			switch string(s.j.text) {
			case "dtype":
				if s.j.next() != 's' {
					return false
				}
				dtype = string(s.j.text)
				have |= 1
			case "shape":
				if !s.numbers(func(i int, n uint64) { count = mul(count, n) }) {
					return false
				}
				have |= 2
			case "data_offsets":
				k := 0
				if !s.numbers(func(i int, n uint64) { k++; from, to = to, n }) || k != 2 {
					return false
				}
				have |= 4
			default:
				return false
			}
		case '}':
			return have == 7 && s.count(dtype, count, from, to)
		default:
			return false
		}
	}
}

// numbers reads an array of natural numbers.
func (s *safetensorsReader) numbers(each func(i int, n uint64)) bool {
	if s.j.next() != '[' {
		return false
	}
	for i := 0; ; i++ {
		switch s.j.next() {
		case 'n':
			n, err := strconv.ParseUint(string(s.j.text), 10, 64)
			if err != nil {
				return false
			}
			each(i, n)
		case ']':
			return true
		default:
			return false
		}
	}
}

func (s *safetensorsReader) count(dtype string, n, from, to uint64) bool {
	if from > to {
		return false
	}
	if bits, ok := safetensorsBits[dtype]; ok && (mul(n, bits)+7)/8 != to-from && s.problem == "" {
		s.problem = "a tensor's shape does not fit its size"
	}
	s.tensors++
	s.bytes = add(s.bytes, to-from)
	s.last = max(s.last, to)
	s.parameters = add(s.parameters, n)
	for i := range s.dtypes {
		if s.dtypes[i].name == dtype {
			s.dtypes[i].n = add(s.dtypes[i].n, n)
			return true
		}
	}
	if len(s.dtypes) < 32 {
		s.dtypes = append(s.dtypes, dtypeCount{dtype, n})
	}
	return true
}

func (s *safetensorsReader) facts() {
	s.res.set(FactTensors, strconv.FormatUint(s.tensors, 10))
	s.res.set(FactParameters, strconv.FormatUint(s.parameters, 10))
	slices.SortStableFunc(s.dtypes, func(a, b dtypeCount) int { return cmp.Compare(b.n, a.n) })
	names := make([]string, len(s.dtypes))
	for i, d := range s.dtypes {
		names[i] = d.name
	}
	s.res.set(FactDTypes, strings.Join(names, ","))
}

// safetensorsBits is the width in bits of a dtype.
var safetensorsBits = map[string]uint64{
	"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
	"I32": 32, "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4,
}
