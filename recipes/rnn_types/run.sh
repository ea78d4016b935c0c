#!/usr/bin/env sh
# Four cells, two directions, three depths: 24 trainings. Options go through: --device cuda
exec asr sweep "$(dirname "$0")" \
    --over encoder.cell=tanh,relu,gru,lstm \
    --over encoder.bidirectional=false,true \
    --over encoder.layers=1,2,4 "$@"
