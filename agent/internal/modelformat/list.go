package modelformat

// detectors is the list of formats, asked in this order; the first that fits
// decides. Formats with a magic number come first, then containers, then those
// known by structure alone, from the strictest test to the weakest.
var detectors = []Detector{
	{"gguf", detectGGUF},
	{"ggml-legacy", detectGGML},
	{"safetensors", detectSafetensors},
	{"pytorch-legacy", detectTorchLegacy},
	{"pytorch-zip", detectTorchZip},
	{"keras-v3", detectKerasV3},
	{"skops", detectSkops},
	{"torchserve-mar", detectTorchServe},
	{"pytorch-pt2", detectTorchPT2},
	{"qualcomm-dlc", detectDLC},
	{"h2o-mojo", detectH2OMOJO},
	{"mediapipe-task", detectMediaPipe},
	{"npz", detectNPZ},
	{"zip-with-pickle", detectZipPickle},
	{"tflite", detectTFLite},
	{"onnx-ort", detectONNXORT},
	{"litert-lm", detectLiteRTLM},
	{"executorch", detectExecuTorch},
	{"keras-h5", detectKerasH5},
	{"burnpack", detectBurnpack},
	{"catboost", detectCatBoost},
	{"rknn", detectRKNN},
	{"tensorrt", detectTensorRT},
	{"hailo-hef", detectHailo},
	{"ascend-om", detectAscendOM},
	{"fasttext", detectFastText},
	{"mxnet", detectMXNet}, // reports mxnet-params, mxnet-symbol or tvm-graph
	{"npy", detectNPY},
	{"tf-checkpoint", detectTFCheckpoint}, // reports tf-checkpoint-index or tf-checkpoint-v1
	{"pytorch-tar", detectTorchTar},       // reports pytorch-tar or nemo
	{"llamafile", detectLlamafile},
	{"pickle", detectPickle},
	{"xgboost-binary-legacy", detectXGBoostLegacy},
	{"xgboost", detectXGBoost}, // reports xgboost-json or xgboost-ubj
	{"lightgbm-json", detectLightGBMJSON},
	{"lightgbm-text", detectLightGBMText},
	{"tfjs", detectTFJS}, // reports tfjs-graph-model or tfjs-layers-model
	{"openvino", detectOpenVINO},
	{"pmml", detectPMML},
	{"mlflow-model", detectMLflow},
	{"triton-config", detectTriton},
	{"ctranslate2", detectCTranslate2},
	{"flax-msgpack", detectFlax},
	{"ncnn", detectNCNN},
	{"tf-checkpoint-state", detectTFCheckpointState},
	{"tf-savedmodel", detectSavedModel},
	{"coreml-mlmodel", detectCoreML},
	{"onnx", detectONNX},
	{"tf-metagraph", detectMetaGraph},
	{"paddle-program", detectPaddle},
	{"tf-graphdef", detectGraphDef},
}
