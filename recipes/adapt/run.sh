#!/usr/bin/env sh
# The same as `asr run` on this folder; options go through: ./run.sh --set training.epochs=5
exec asr run "$(dirname "$0")" "$@"
