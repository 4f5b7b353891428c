package modelformat

import "bytes"

// tfjsMaxParts is how many weight files are listed.
const tfjsMaxParts = 1024

// detectTFJS recognises TensorFlow.js' model.json: a format of graph-model or
// layers-model and a weightsManifest that names the weight files. Source:
// https://github.com/tensorflow/tfjs/tree/master/tfjs-converter.
func detectTFJS(f *File) (Result, bool) {
	if !jsonStart(f.head) {
		return Result{}, false
	}
	if !bytes.Contains(f.head, []byte("Topology")) && !bytes.Contains(f.head, []byte("Manifest")) &&
		!bytes.Contains(f.head, []byte(`-model"`)) {
		return Result{}, false
	}
	res := Result{Confidence: Certain}
	j := newJSON(f.cursor(0, f.size))
	topology, manifest := false, false
	if j.next() != '{' {
		return Result{}, false
	}
	for j.next() == 'k' {
		switch string(j.text) {
		case "format":
			switch j.str() {
			case "graph-model":
				res.Format = "tfjs-graph-model"
			case "layers-model":
				res.Format = "tfjs-layers-model"
			}
		case "generatedBy":
			res.set(FactProducer, j.str())
		case "convertedBy":
			res.set(FactProducerVersion, j.str())
		case "modelTopology":
			topology = j.skip()
		case "weightsManifest":
			manifest = true
			tfjsManifest(j, &res)
		default:
			j.skip()
		}
	}
	if !(topology && manifest) && !(f.cut && res.Format != "") {
		return Result{}, false
	}
	if res.Format == "" { // files from before the field format
		res.Format = "tfjs-layers-model"
	}
	res.set(FactFramework, "tensorflow.js")
	return res, true
}

// tfjsManifest reads the paths of each group.
func tfjsManifest(j *jsonReader, res *Result) {
	if j.next() != '[' {
		return
	}
	depth := j.depth
	for j.depth >= depth {
		switch t := j.next(); {
		case t == 0:
			return
		case t == 'k' && string(j.text) == "paths" && j.depth == depth+1:
			if j.next() != '[' {
				return
			}
			for j.next() == 's' {
				if p, ok := relativePart(string(j.text)); ok && len(res.Parts) < tfjsMaxParts {
					res.Parts = append(res.Parts, Part{Path: p, Format: "tfjs-weights"})
				}
			}
		}
	}
}
