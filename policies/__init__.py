"""The policies that a stage must satisfy: rules, who may break which and for how long, and the pack that runs them under the engine."""
