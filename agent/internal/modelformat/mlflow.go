package modelformat

import (
	"strings"
)

// detectMLflow recognises MLflow's descriptor MLmodel: YAML with a root key
// flavors and one of the keys that MLflow alone writes. The flavour
// python_function names the module that loads the model. Source:
// https://mlflow.org/docs/1.26.0/_modules/mlflow/models/model.html.
func detectMLflow(f *File) (Result, bool) {
	switch f.head[0] { // of artifact_path, databricks_runtime, flavors, and a comment
	case 'a', 'd', 'f', '#':
	default:
		return Result{}, false
	}
	res := Result{Format: "mlflow-model", Confidence: Certain}
	flavors, own := false, false
	section, tags := "", []string(nil)
	c := f.cursor(0, min(f.size, 256<<10))
	line := make([]byte, 0, 128)
	for c.rest() > 0 {
		if line = c.line(32<<10, line); c.err != nil {
			break
		}
		text := strings.TrimRight(string(line), " \r")
		key, value, ok := strings.Cut(strings.TrimLeft(text, " "), ":")
		if !ok {
			continue
		}
		value = strings.Trim(value, ` '"`)
		switch indent := len(text) - len(strings.TrimLeft(text, " ")); {
		case indent == 0:
			section = key
			flavors = flavors || key == "flavors" && value == ""
			switch key {
			case "mlflow_version":
				own = true
				res.set(FactProducerVersion, value)
			case "model_uuid", "utc_time_created":
				own = true
			}
		case section == "flavors" && indent == 2 && value == "" && len(tags) < 16:
			tags = append(tags, key)
		case section == "flavors" && indent == 4 && key == "loader_module":
			res.set(FactCode, "python_function")
			res.set(FactClass, value)
		}
	}
	if !flavors || !own || len(tags) == 0 {
		return Result{}, false
	}
	res.set(FactFramework, "mlflow")
	res.set(FactTags, strings.Join(tags, ", "))
	return res, true
}
