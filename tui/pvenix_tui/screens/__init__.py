"""Screens: each maps one view model to widgets and hands actions on; none holds state that outlives it."""
