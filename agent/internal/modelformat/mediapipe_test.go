package modelformat

import (
	"archive/zip"
	"testing"
)

func samplesMediaPipe(t testing.TB) []sample {
	facts := map[string]string{FactFramework: "mediapipe", FactEmbeddedFormat: "tflite"}
	return []sample{
		{
			path: "gemma.bin", format: "mediapipe-task", facts: facts,
			data: buildZip(t, zip.Store, member{"TF_LITE_PREFILL_DECODE", sampleFlat("TFL3")}, member{"TOKENIZER_MODEL", []byte("spm")}, member{"METADATA", []byte("m")}),
		},
		{
			path: "hand_landmarker.task", format: "mediapipe-task", facts: facts,
			data: buildZip(t, zip.Store, member{"hand_detector.tflite", sampleFlat("TFL3")}, member{"hand_landmarks_detector.tflite", sampleFlat("TFL3")}),
		},
	}
}

// TestMediaPipeNothing: an application with a model in it, a zip of models, and
// a bundle whose members are no models.
func TestMediaPipeNothing(t *testing.T) {
	model := member{"a.tflite", sampleFlat("TFL3")}
	wantNothing(t, "application", "app.task", buildZip(t, zip.Store, model, member{"assets/b.tflite", sampleFlat("TFL3")}))
	wantNothing(t, "zip of models", "models.zip", buildZip(t, zip.Store, model))
	wantNothing(t, "no model", "x.task", buildZip(t, zip.Store, member{"todo.txt", []byte("write a task list today")}))
}

func FuzzMediaPipe(f *testing.F) { fuzzDetector(f, "mediapipe-task", "hand_landmarker.task") }
