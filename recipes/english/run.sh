#!/usr/bin/env sh
# Trains the English model from LibriSpeech; TEXT is text for its language model, with commas between.
#   TEXT=books.txt.xz recipes/english/run.sh --corpus DIR
set -e
trap 'exit 130' INT # a training that Ctrl-C stops has saved its work, and ends well
here="$(dirname "$0")"
for step in pieces phones regularized voices rooms smooth trigrams; do
    asr run "$here/$step.yaml" --exp "exp/english_$step" --stop-stage average "$@"
done
exec asr run "$here" --set "lm.text=[$TEXT]" "$@"
