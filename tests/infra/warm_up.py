"""What the process that `warm` forks from has done before."""

from tests.infra.warm import imported

imported()
