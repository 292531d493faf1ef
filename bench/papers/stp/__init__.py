"""The paper that introduces the Segregated Temporal Probe: spiking networks on three temporal tasks."""
