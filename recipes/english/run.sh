#!/usr/bin/env sh
# Trains the English model from LibriSpeech; TEXT is text for its language model, with commas between.
#   TEXT=books.txt.xz recipes/english/run.sh --corpus DIR
set -e
here="$(dirname "$0")"
asr run "$here/pieces.yaml" --exp exp/english_pieces --stop-stage average "$@"
asr run "$here/phones.yaml" --exp exp/english_phones --stop-stage average "$@"
asr run "$here/regularized.yaml" --exp exp/english_regularized --stop-stage average "$@"
asr run "$here/voices.yaml" --exp exp/english_voices --stop-stage average "$@"
asr run "$here/rooms.yaml" --exp exp/english_rooms --stop-stage average "$@"
asr run "$here/smooth.yaml" --exp exp/english_smooth --stop-stage average "$@"
exec asr run "$here" --set "lm.text=[$TEXT]" "$@"
