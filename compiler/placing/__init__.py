"""Ways to put cores on the mesh, one module each: the parts of the kind ``placer``.

A placer is a module of this package with a function ``place(task, rng)``: it takes a `PlaceTask`
and a random generator and returns the slot of every core, (n_cores,), all different. Adding one
takes one new file: the pass then tries it as a start. Modules whose name starts with an underscore
are shared by the placers.
"""
