"""How a built system becomes the running one and the boot default, with a way back that needs nobody: `rebuild`, `rollback`."""
