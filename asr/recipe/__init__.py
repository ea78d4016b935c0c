"""Recipes: what a user writes down (`config`), and the engine that walks its stages.

config    recipe.yaml and --set -> Recipe
reference every setting in words
stage     what a stage is, and how one is named on the command line
record    what a finished stage leaves on record; content hashes
folder    a stage's folder: partial, finished, replaced, recovered
lock      one run at a time in an experiment
launch    torchrun's environment
plan      which stages are up to date, and why the others are not
engine    run what is not up to date
share     stages that another experiment has made already
grid      --over -> every combination of some settings' values
sweep     an experiment for each combination; its table and its picture
"""
