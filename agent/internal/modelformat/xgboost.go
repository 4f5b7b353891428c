package modelformat

import (
	"bytes"
	"encoding/binary"
)

// detectXGBoost recognises XGBoost's JSON and Universal Binary JSON: an object
// with the keys learner and version. Source:
// https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html.
func detectXGBoost(f *File) (Result, bool) {
	if f.head[0] != '{' {
		return Result{}, false
	}
	if res, ok := xgboostUBJ(f); ok {
		return res, true
	}
	if !bytes.Contains(f.head, []byte(`learner"`)) {
		return Result{}, false
	}
	res := Result{Format: "xgboost-json", Confidence: Certain}
	res.set(FactFramework, "xgboost")
	learner, booster, version := false, false, false
	j := newJSON(f.cursor(0, f.size))
	if j.next() != '{' {
		return Result{}, false
	}
	for {
		t := j.next()
		if t != 'k' {
			break
		}
		switch string(j.text) {
		case "learner":
			learner, booster = xgboostLearner(j, &res)
		case "version":
			version = j.skip()
		default:
			j.skip()
		}
	}
	if f.cut && booster { // the trees, which come first, are longer than the budget
		return res, true
	}
	if !learner || !version {
		return Result{}, false
	}
	return res, true
}

// xgboostLearner reads learner.objective.name and learner.gradient_booster.name.
// whole says that it was read to its end and has at least two of the sections
// of a learner, booster that the section of the trees was met.
func xgboostLearner(j *jsonReader, res *Result) (whole, booster bool) {
	if j.next() != '{' {
		return false, false
	}
	depth := j.depth
	parts := 0
	section, key := "", ""
	for {
		switch t := j.next(); t {
		case 0:
			return false, booster
		case 'k':
			key = string(j.text)
			if j.depth == depth {
				section = key
				booster = booster || key == "gradient_booster"
				if key == "objective" || key == "gradient_booster" || key == "learner_model_param" {
					parts++
				}
			}
		case 's':
			if j.depth == depth+1 && key == "name" {
				switch section {
				case "objective":
					res.set(FactObjective, string(j.text))
				case "gradient_booster":
					res.set(FactArchitecture, string(j.text))
				}
			}
		case '}':
			if j.depth < depth {
				return parts >= 2, booster
			}
		}
	}
}

// xgboostUBJ recognises the binary form by its first key, learner, and by the
// names of its sections near the start.
func xgboostUBJ(f *File) (Result, bool) {
	b := f.head[1:]
	var key string
	var n uint64
	switch {
	case len(b) > 9 && b[0] == 'L':
		n, b = binary.BigEndian.Uint64(b[1:]), b[9:]
	case len(b) > 5 && b[0] == 'l':
		n, b = uint64(binary.BigEndian.Uint32(b[1:])), b[5:]
	case len(b) > 3 && b[0] == 'I':
		n, b = uint64(binary.BigEndian.Uint16(b[1:])), b[3:]
	case len(b) > 2 && (b[0] == 'i' || b[0] == 'U'):
		n, b = uint64(b[1]), b[2:]
	default:
		return Result{}, false
	}
	if n > 16 || uint64(len(b)) < n+1 {
		return Result{}, false
	}
	key = string(b[:n])
	if key != "learner" && key != "version" || key == "learner" && b[n] != '{' {
		return Result{}, false
	}
	res := Result{Format: "xgboost-ubj", Confidence: Certain}
	res.set(FactFramework, "xgboost")
	if !bytes.Contains(f.head, []byte("learner")) {
		return Result{}, false
	}
	return res, true
}
