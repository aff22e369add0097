# What the generator imports in a virtual machine; nothing of it matters here.
{ }
